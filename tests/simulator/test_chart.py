"""The simulator's chart has the part of the interface of NVIDIA's chart that the product uses."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from mig_fleet.model import labels
from mig_fleet.observed.objects import Taint
from mig_fleet.observed.scheduling import is_tolerated
from mig_fleet.policies.chart_values import RELABELINGS, ServiceMonitor, derived_values
from mig_fleet.simulator import CHARTS
from mig_fleet.simulator.behaviours import BY_APP

CHART = CHARTS / "gpu-operator"


def paths(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from paths(value, f"{prefix}{key}.")


def test_every_value_that_the_product_sets_is_one_the_chart_knows() -> None:
    known = set(paths(yaml.safe_load((CHART / "values.yaml").read_text())))
    values = derived_values("mixed", "metrics", ServiceMonitor(30, {}))
    unknown = set(paths(values)) - known
    assert not unknown, "NVIDIA's chart has these too; add them to values.yaml and to the templates that read them"


def test_an_installation_has_no_hook_and_an_uninstallation_always_has_one() -> None:
    """gpu-operator v26.7.0, deployments/gpu-operator/templates: upgrade_crd, cleanup_gpucluster, cleanup_crd."""
    template = (CHART / "templates" / "hooks.yaml").read_text()
    hooks = re.findall(r'"name" "([a-z-]+)" "hook" "([a-z,-]+)" "weight" (\d)', template)
    assert hooks == [
        ("gpu-operator-upgrade-crd", "pre-upgrade", "1"),
        ("gpu-operator-cleanup-gpucluster", "pre-delete", "0"),
        ("gpu-operator-cleanup-crd", "pre-delete", "1"),
    ]
    conditions = re.findall(r"{{- if \.Values\.(\S+) }}|\"name\" \"(\S+)\"", template)
    assert [first or second for first, second in conditions] == [
        "operator.upgradeCRD",
        "gpu-operator-upgrade-crd",
        "gpu-operator-cleanup-gpucluster",
        "operator.cleanupCRD",
        "gpu-operator-cleanup-crd",
    ]


def test_the_cluster_policy_has_every_part_that_nvidias_schema_requires() -> None:
    """gpu-operator v26.7.0, api/nvidia/v1/clusterpolicy_types.go: the fields that may not be omitted."""
    (version,) = yaml.safe_load((CHART / "crds" / "clusterpolicies.yaml").read_text())["spec"]["versions"]
    required = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["required"]
    assert {"daemonsets", "dcgm", "nodeStatusExporter"} <= set(required)
    policy = (CHART / "templates" / "operator.yaml").read_text().partition("kind: ClusterPolicy")[2]
    assert set(required) <= set(re.findall(r"^  (\w+):", policy, re.MULTILINE))


def test_the_worker_of_node_feature_discovery_tolerates_what_nvidias_chart_lets_it_and_what_we_add() -> None:
    """gpu-operator v26.7.0: `daemonsets.tolerations` do not reach the subchart."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    charts_own = values["node-feature-discovery"]["worker"]["tolerations"]
    assert [each["key"] for each in charts_own] == ["node-role.kubernetes.io/control-plane", "nvidia.com/gpu"]
    startup = [Taint(labels.STARTUP_TAINT, "true", "NoSchedule")]
    ours = derived_values("mixed", "metrics")["node-feature-discovery"]["worker"]["tolerations"]
    assert not all(is_tolerated(taint, charts_own) for taint in startup), "the chart's own list keeps it off"
    assert all(is_tolerated(taint, ours) for taint in startup)
    assert all(each in ours for each in charts_own), "our list replaces the chart's"


def test_every_operand_with_a_behaviour_has_a_workload_in_the_chart() -> None:
    templates = "".join(path.read_text() for path in (CHART / "templates").iterdir())
    missing = [app for app in BY_APP if f'"{app}"' not in templates and f"app: {app}" not in templates]
    assert not missing, "no pod of the chart has this behaviour"


def test_the_schema_of_the_cluster_policy_has_every_key_of_our_service_monitor() -> None:
    """The API server drops a key that the schema does not have, without a word."""
    (version,) = yaml.safe_load((CHART / "crds" / "clusterpolicies.yaml").read_text())["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["dcgmExporter"]["properties"]
    monitor = derived_values("mixed", "metrics", ServiceMonitor(30, {"release": "kps"}))["dcgmExporter"][
        "serviceMonitor"
    ]
    assert monitor.keys() <= schema["serviceMonitor"]["properties"].keys()
    assert (
        monitor["relabelings"][0].keys()
        <= schema["serviceMonitor"]["properties"]["relabelings"]["items"]["properties"].keys()
    ), RELABELINGS
