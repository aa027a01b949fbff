"""Rules and dashboards as objects of the Prometheus Operator and of the Grafana Operator, in a real API server."""

from collections.abc import Iterator
from functools import partial

import pytest

from mig_fleet.model import labels
from mig_fleet.simulator.polling import wait_until
from tests.engine import definitions
from tests.engine.deployment import Deployment, baseline, deploy

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

KINDS = (
    ("monitoring.coreos.com", "v1", "PrometheusRule"),
    ("monitoring.coreos.com", "v1", "ServiceMonitor"),
    ("grafana.integreatly.org", "v1beta1", "GrafanaDashboard"),
)
RULE = f"/apis/monitoring.coreos.com/v1/namespaces/gpu-operator/prometheusrules/{labels.ALERT_RULES}"
BOARDS = "/apis/grafana.integreatly.org/v1beta1/namespaces/gpu-operator/grafanadashboards"
BOARD = f"{BOARDS}/{labels.DASHBOARDS['pool']}"
MONITORING = {
    "rules": "prometheusRule",
    "monitorLabels": {"release": "prometheus"},
    "dashboards": "grafanaOperator",
    "grafanaInstances": {"dashboards": "gpu"},
    "folder": "GPUs",
    "serviceMonitor": True,
}


@pytest.fixture
def operators(deployed: Deployment) -> Iterator[Deployment]:
    """A cluster with the definitions of both operators; they and our objects are removed afterwards."""
    call = deployed.fleet.call
    for group, version, kind in KINDS:
        call("create", definitions.PATH, definitions.definition(group, version, kind))
    for group, version, kind in KINDS:
        wait_until(partial(deployed.cluster.serves, f"{group}/{version}", kind), f"{kind} is served")
    yield deployed
    deploy(deployed, baseline(deployed.fleet))
    for group, _, kind in KINDS:
        call("delete", f"{definitions.PATH}/{kind.lower()}s.{group}")


def test_a_cluster_without_the_kinds_fails_the_preview_with_the_definitions_that_it_lacks(deployed: Deployment) -> None:
    deployed.config["monitoring"] = MONITORING
    refused = deployed.preview()
    assert refused.status != 0, refused.text
    for group, _, kind in KINDS:
        assert f"CustomResourceDefinition {kind.lower()}s.{group} is missing; " in refused.diagnostics, refused.text
    update = deployed.up()
    assert update.status != 0 and "updated" not in update, update.text


def test_rules_and_dashboards_are_objects_of_the_operators_and_are_restored_as_they_were_declared(
    operators: Deployment,
) -> None:
    call = operators.fleet.call
    operators.config["monitoring"] = MONITORING
    changed = operators.up()
    assert changed.status == 0, changed.text
    rule, board = call("get", RULE), call("get", BOARD)
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    assert {name for group in rule["spec"]["groups"] for each in group["rules"] for name in each} >= {"record", "alert"}
    assert board["spec"]["instanceSelector"] == {"matchLabels": {"dashboards": "gpu"}}
    assert board["spec"]["folder"] == "GPUs"
    assert len(call("get", BOARDS)["items"]) == len(labels.DASHBOARDS)
    assert operators.cluster.config_map("gpu-operator", labels.ALERT_RULES) is None

    call("delete", BOARD)
    call("patch", RULE, {"spec": {"groups": [{"name": "mine", "rules": []}]}})
    seen = operators.preview("--diff")
    assert seen.status == 0, seen.text
    assert f"object missing: GrafanaDashboard gpu-operator/{labels.DASHBOARDS['pool']}" in seen, seen.text
    assert f"object changed: PrometheusRule gpu-operator/{labels.ALERT_RULES}: spec.groups is " in seen, seen.text
    restored = operators.up()
    assert restored.status == 0, restored.text
    assert (call("get", RULE)["spec"], call("get", BOARD)["spec"]) == (rule["spec"], board["spec"])
    unchanged = operators.preview("--expect-no-changes")
    assert unchanged.status == 0, unchanged.text
