"""A stack that needs a kind which the cluster does not serve fails its preview, with the definition that is missing."""

import re
from typing import Any

import pulumi
import pytest

from mig_fleet.cluster.errors import ClusterUnreachable
from mig_fleet.components import owner
from mig_fleet.components.owner import ClusterOwnerProvider
from mig_fleet.observed.installed.served_kinds import KINDS
from mig_fleet.observed.rights.grant import Use
from mig_fleet.rollout.wave import Props
from tests.memory.api import MemoryCluster
from tests.memory.fleet import OPERATOR, PROBES, Fleet

PROVIDER = ClusterOwnerProvider()
PROMETHEUS, GRAFANA, DRA = "monitoring.coreos.com/v1", "grafana.integreatly.org/v1beta1", "resource.k8s.io/v1"


@pytest.fixture(autouse=True)
def in_memory(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "Cluster", lambda _args: MemoryCluster(fleet))


def inputs(*uses: Use, **cluster: Any) -> Props:
    names = {"namespace": OPERATOR, "reportsNamespace": PROBES, "stack": "acme/mig-fleet/prod", "takeOver": ""}
    return {"cluster": cluster, **names, "uses": [*uses]}


def failures(*uses: Use) -> list[str]:
    return [failure.reason for failure in PROVIDER.check({}, inputs(*uses)).failures]


@pytest.mark.parametrize(
    ("use", "definition", "ways"),
    [
        (
            Use.ALERT_RULES,
            "prometheusrules.monitoring.coreos.com",
            "install the Helm chart prometheus-operator-crds or kube-prometheus-stack, or write the rules to a "
            "ConfigMap: `pulumi config set --path mig-fleet:monitoring.rules configMap`",
        ),
        (
            Use.SERVICE_MONITOR,
            "servicemonitors.monitoring.coreos.com",
            "`pulumi config set --path mig-fleet:monitoring.serviceMonitor false`",
        ),
        (
            Use.DASHBOARDS,
            "grafanadashboards.grafana.integreatly.org",
            "install the Grafana Operator, or set `dashboards: sidecar`",
        ),
    ],
)
def test_a_missing_kind_is_named_with_its_setting_its_definition_and_the_ways_out(
    use: Use, definition: str, ways: str
) -> None:
    (text,) = failures(use)
    assert text.startswith(f"{use} needs the kind {KINDS[use].kind} of ")
    assert f"CustomResourceDefinition {definition} is missing; " in text
    assert ways in text


def test_all_missing_kinds_are_reported_together(fleet: Fleet) -> None:
    fleet.served_kinds = {PROMETHEUS: ["PodMonitor", "ServiceMonitor"]}
    found = failures(Use.ALERT_RULES, Use.SERVICE_MONITOR, Use.DASHBOARDS)
    assert [re.findall(r"kind (\w+)", text)[0] for text in found] == ["PrometheusRule", "GrafanaDashboard"]


def test_a_cluster_that_serves_the_kinds_is_accepted(fleet: Fleet) -> None:
    fleet.served_kinds = {PROMETHEUS: ["PrometheusRule", "ServiceMonitor"], GRAFANA: ["GrafanaDashboard"]}
    fleet.served_kinds[DRA] = ["ResourceSlice", "DeviceClass"]
    assert failures(*KINDS) == []


def test_a_cluster_without_dra_is_named_with_the_version_that_has_it() -> None:
    assert failures(Use.DRA) == [
        "operator.allocation: dra needs the kind DeviceClass of resource.k8s.io/v1, which this cluster does not serve: "
        "the API resource.k8s.io/v1 is missing; upgrade the cluster to Kubernetes 1.34 or newer, or let the device "
        "plugin offer the slices: `pulumi config set --path mig-fleet:operator.allocation devicePlugin`"
    ]


def test_a_stack_without_such_objects_asks_for_no_kind(fleet: Fleet) -> None:
    assert failures(Use.OPERATOR) == []
    assert not any("/apis/monitoring" in path for _, path, _ in fleet.requests)


@pytest.mark.parametrize("warn", [False, True])
def test_a_cluster_that_does_not_answer_fails_the_preview_unless_the_stack_has_a_warning_instead(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, warn: bool
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warnings.append)
    fleet.fail_requests("GET", f"/apis/{PROMETHEUS}", ClusterUnreachable("the cluster does not answer"))
    found = PROVIDER.check({}, inputs(Use.ALERT_RULES, **({"onUnreachable": "warn"} if warn else {})))
    assert bool(found.failures) != warn
    assert len(warnings) == warn
