"""The operator creates the ServiceMonitor with the chart values that mig-fleet derives."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mig_fleet.policies.chart_values import NODE_RELABELING, ServiceMonitor, derived_values, merged
from mig_fleet.simulator import Fleet
from mig_fleet.simulator.polling import wait_until
from tests.engine import definitions
from tests.engine.foreign_operator import NAMESPACE, ForeignOperator

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

KIND = definitions.definition("monitoring.coreos.com", "v1", "ServiceMonitor")
MONITORS = f"/apis/monitoring.coreos.com/v1/namespaces/{NAMESPACE}/servicemonitors"
POLICY = "/apis/nvidia.com/v1/clusterpolicies/cluster-policy"
THEIRS = {"sourceLabels": ["__meta_kubernetes_node_label_rack"], "targetLabel": "rack"}


@pytest.fixture(scope="module")
def operator(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignOperator]:
    """The chart alone, without the kind of the ServiceMonitor."""
    fleet = Fleet(tmp_path_factory.mktemp("monitored-fleet"))
    fleet.up(binaries, attached=True)
    installed = ForeignOperator.create(tmp_path_factory.mktemp("monitored"), fleet)
    installed.install(values())
    yield installed
    fleet.down()


def values(**monitor: Any) -> dict[str, Any]:
    """Ours and the user's, without the names of objects that a stack creates."""
    derived = derived_values("mixed", "metrics", ServiceMonitor(30, {"release": "kps"}))
    ours = {key: derived[key] for key in ("dcgmExporter", "mig")}
    both = merged(ours, {"dcgmExporter": {"serviceMonitor": monitor}})
    both["dcgmExporter"]["config"]["name"] = ""
    return both


def is_served(fleet: Fleet) -> bool:
    found = fleet.call("get", f"{definitions.PATH}/{KIND['metadata']['name']}")
    return any(
        each["type"] == "Established" and each["status"] == "True" for each in found["status"].get("conditions", [])
    )


def test_the_cluster_policy_keeps_every_key_of_the_service_monitor(operator: ForeignOperator) -> None:
    policy = operator.fleet.call("get", POLICY)
    expected = values()["dcgmExporter"]["serviceMonitor"] | {"scrapeTimeout": "10s"}
    assert policy["spec"]["dcgmExporter"]["serviceMonitor"] == expected


def test_the_service_monitor_follows_once_the_cluster_serves_its_kind(operator: ForeignOperator) -> None:
    fleet = operator.fleet
    fleet.call("create", definitions.PATH, KIND)
    wait_until(lambda: is_served(fleet), "the cluster serves ServiceMonitors")
    operator.install(values(relabelings=[THEIRS]))
    wait_until(lambda: fleet.call("get", MONITORS)["items"], "the operator has created the ServiceMonitor")
    (monitor,) = fleet.call("get", MONITORS)["items"]
    assert monitor["metadata"]["labels"]["release"] == "kps"
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["honorLabels"] is False and endpoint["interval"] == "30s"
    # The schema of the ClusterPolicy has this default.
    assert endpoint["relabelings"] == [{"action": "replace", **each} for each in (THEIRS, NODE_RELABELING)]
