"""What a stack file says about monitoring reaches the objects, the chart's values and the checks of the cluster."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest

from mig_fleet.model import parted
from mig_fleet.observed.configs.layout_file import dump_configs
from mig_fleet.observed.rights.grant import Use
from mig_fleet.stack_file import fleet
from mig_fleet.stack_file.monitoring_settings import Monitoring
from mig_fleet.stacks import program

MONITORING = {
    "rules": "prometheusRule",
    "monitorLabels": {"release": "prometheus"},
    "dashboards": "grafanaOperator",
    "grafanaInstances": {"dashboards": "gpu"},
    "folder": "GPUs",
    "serviceMonitor": True,
    "scrapeInterval": "15s",
    "exporterJob": "our-exporter",
    "runbooks": "https://wiki.example.com/gpus",
    "alerts": {"sliceIdle": False},
}
OFF = [{"devices": "all", "mig-enabled": False}]
OLD = parted.read({"version": "v1", "mig-configs": {"the-old-config": OFF}}).configs


class Engine(pulumi.runtime.Mocks):
    """Records registrations; the layout file holds a config that only nodes carry."""

    def __init__(self) -> None:
        self.created: dict[str, dict[str, Any]] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[Any, Any]]:
        self.created[args.name] = args.inputs
        carried = {"carried": dump_configs(OLD)} if args.name == "layouts-file" else {}
        return f"{args.name}-id", {**args.inputs, **carried}

    def call(self, _args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        return {}, None


@pytest.fixture(scope="module")
def created() -> Iterator[dict[str, dict[str, Any]]]:
    """Name → inputs, after the whole program ran."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    engine = Engine()
    pulumi.runtime.set_mocks(engine, preview=False)
    local = fleet.from_file(Path("stacks/Pulumi.local.yaml"))
    settings = local.settings.model_copy(update={"monitoring": Monitoring.model_validate(MONITORING)})
    declared = replace(local, settings=settings)
    pulumi.runtime.test(lambda: program.deploy(declared) and None)()  # type: ignore[no-untyped-call]  # not annotated in the SDK
    yield engine.created
    asyncio.set_event_loop(None)
    loop.close()


def test_the_objects_are_those_of_the_operators(created: dict[str, dict[str, Any]]) -> None:
    assert created["monitoring-rules"]["kind"] == "PrometheusRule"
    assert created["monitoring-rules"]["metadata"]["labels"]["release"] == "prometheus"
    board = created["monitoring-dashboard-node"]
    assert (board["kind"], board["spec"]["folder"]) == ("GrafanaDashboard", "GPUs")
    assert board["spec"]["instanceSelector"] == {"matchLabels": {"dashboards": "gpu"}}


def test_the_rules_follow_the_settings_and_know_what_only_nodes_carry(created: dict[str, dict[str, Any]]) -> None:
    rules = [rule for group in created["monitoring-rules"]["spec"]["groups"] for rule in group["rules"]]
    text = json.dumps(rules)
    assert "our-exporter" in text and "https://wiki.example.com/gpus#" in text
    assert "MIGSliceIdle" not in {rule.get("alert") for rule in rules}
    assert "the-old-config" in text


def test_the_chart_creates_the_service_monitor_and_a_change_of_it_is_noticed(created: dict[str, Any]) -> None:
    monitor = created["gpu-operator-release"]["values"]["dcgmExporter"]["serviceMonitor"]
    assert (monitor["enabled"], monitor["honorLabels"], monitor["interval"]) == (True, False, "15s")
    assert monitor["additionalLabels"] == {"release": "prometheus"}
    policy = json.loads(created["supporting-objects"]["chartObjects"][0])
    assert policy["spec"]["dcgmExporter"]["serviceMonitor"] == {"enabled": True, "honorLabels": False}


def test_the_cluster_must_serve_the_kinds(created: dict[str, dict[str, Any]]) -> None:
    assert {Use.ALERT_RULES, Use.DASHBOARDS, Use.SERVICE_MONITOR} <= {*created["cluster-owner"]["uses"]}
