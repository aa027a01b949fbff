"""The monitoring objects that a program gets from the component, as the engine gets them."""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import pulumi
import pytest
from pulumi.runtime.mocks import MockMonitor

from mig_fleet.components.monitoring import Monitored, Monitoring, MonitoringArgs, content
from mig_fleet.components.refused import FleetRefused
from mig_fleet.documents import parse
from mig_fleet.model import labels
from mig_fleet.monitoring.alerts.thresholds import Thresholds
from mig_fleet.monitoring.fleet import MonitoredFleet, MonitoredPool
from mig_fleet.monitoring.series import DECLARED

MANAGED = {"app.kubernetes.io/managed-by": "mig-fleet"}
RULES, BOARDS = "m-rules", ("m-dashboard-fleet", "m-dashboard-node", "m-dashboard-pool")


def a_fleet(**configs: int) -> MonitoredFleet:
    """One pool of nodes with one GPU; each config has this many slices 1g.10gb."""
    slices = {name: ({"1g.10gb": count},) for name, count in configs.items()}
    return MonitoredFleet((MonitoredPool("p", "H100-80GB", 1, slices),))


ARGS: MonitoringArgs = {"namespace": "gpu-operator", "pools": {}}
MONITORED: dict[str, Any] = {"fleet": a_fleet(dense=7)}


class Recording(MockMonitor):
    """Keeps the requests of the engine by name."""

    def __init__(self) -> None:
        super().__init__(_Outputs())
        self.requests: dict[str, Any] = {}

    def RegisterResource(self, request: Any) -> Any:
        if request.type != "pulumi:pulumi:Stack":
            self.requests[request.name] = request
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]  # not annotated in the SDK


class _Outputs(pulumi.runtime.Mocks):
    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[Any, Any]]:
        return f"{args.name}-id", dict(args.inputs)

    def call(self, _args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        return {}, None


Register = Callable[..., dict[str, Any]]


@pytest.fixture
def register() -> Iterator[Register]:
    """Registers the component with other arguments; returns what the engine got by name."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)

    def run(**changes: Any) -> dict[str, Any]:
        monitor = Recording()
        pulumi.runtime.set_mocks(monitor.mocks, preview=False, monitor=monitor)
        given = {**MONITORED, **changes}
        found = Monitored(**{field.name: given.pop(field.name) for field in fields(Monitored) if field.name in given})
        args: Any = {**ARGS, **given}
        pulumi.runtime.test(lambda: Monitoring("m", args, monitored=found) and None)()  # type: ignore[no-untyped-call]  # not annotated in the SDK
        return monitor.requests

    yield run
    asyncio.set_event_loop(None)
    loop.close()


def metadata(request: Any) -> dict[str, Any]:
    return dict(request.object["metadata"])


def test_all_objects_belong_to_one_component(register: Register) -> None:
    found = register()
    assert found.keys() == {"m", "m-metrics", RULES, *BOARDS}
    assert {found[name].parent.rpartition("::")[2] for name in found.keys() - {"m"}} == {"m"}
    assert {request.type for name, request in found.items() if name != "m"} == {"kubernetes:core/v1:ConfigMap"}


def test_the_metrics_list_is_the_one_of_states_in_which_it_had_no_parent(register: Register) -> None:
    (alias,) = register()["m-metrics"].aliases
    assert alias.spec.noParent, "otherwise Pulumi would delete it, and create one of that name"


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"rules": "none"}, {"m", "m-metrics", *BOARDS}),
        ({"dashboards": "none"}, {"m", "m-metrics", RULES}),
        ({"rules": "none", "dashboards": "none"}, {"m", "m-metrics"}),
    ],
    ids=["no rules", "no dashboards", "neither"],
)
def test_rules_and_dashboards_can_be_left_out(register: Register, changes: Any, names: set[str]) -> None:
    assert register(**changes).keys() == names


def test_rules_of_both_configs_are_in_a_rule_file_with_recording_rules_first(register: Register) -> None:
    """A node that waits for its wave was verified with the one, a node that is done with the other."""
    text = register(fleet=a_fleet(old=7, new=3))[RULES].object["data"]["mig-fleet.yaml"]
    groups = parse("rules", text.encode()).data["groups"]
    declared = [rule["expr"] for group in groups for rule in group["rules"] if rule.get("record") == DECLARED]
    assert any("old" in expr for expr in declared) and any("new" in expr for expr in declared)
    has_alerts = [any("alert" in rule for rule in group["rules"]) for group in groups]
    assert has_alerts == sorted(has_alerts) and {*has_alerts} == {True, False}


def test_a_prometheus_rule_has_the_same_rules(register: Register) -> None:
    text = register()[RULES].object["data"]["mig-fleet.yaml"]
    request = register(rules="prometheusRule", monitor_labels={"release": "prometheus"})[RULES]
    assert (request.object["kind"], request.object["apiVersion"]) == ("PrometheusRule", "monitoring.coreos.com/v1")
    spec = parse("spec", json.dumps(_plain(request.object["spec"])).encode()).data
    assert spec == parse("rules", text.encode()).data
    assert metadata(request)["labels"] == {**MANAGED, "release": "prometheus"}


def _plain(value: Any) -> Any:
    """A message of protobuf as plain data."""
    from google.protobuf.json_format import MessageToDict

    return MessageToDict(value)


@pytest.mark.parametrize("name", BOARDS)
def test_the_sidecar_finds_a_dashboard_by_its_labels_and_its_folder(register: Register, name: str) -> None:
    request = register(dashboard_labels={"grafana": "yes"}, folder="GPUs")[name]
    board = name.rpartition("-")[2]
    assert metadata(request)["name"] == labels.DASHBOARDS[board]
    assert metadata(request)["labels"] == {**MANAGED, "grafana": "yes"}
    assert metadata(request)["annotations"]["grafana_folder"] == "GPUs"
    assert [*request.object["data"]] == [f"mig-fleet-{board}.json"]
    assert json.loads(request.object["data"][f"mig-fleet-{board}.json"])["uid"] == f"mig-fleet-{board}"
    plain = register()[name]
    assert metadata(plain)["labels"] == {**MANAGED, "grafana_dashboard": "1"}
    assert "grafana_folder" not in metadata(plain)["annotations"]


@pytest.mark.parametrize("name", BOARDS)
def test_the_grafana_operator_gets_the_same_dashboard_for_the_selected_instances(register: Register, name: str) -> None:
    file = f"mig-fleet-{name.rpartition('-')[2]}.json"
    text = register()[name].object["data"][file]
    request = register(dashboards="grafanaOperator", grafana_instances={"dashboards": "gpu"}, folder="GPUs")[name]
    assert request.object["apiVersion"] == "grafana.integreatly.org/v1beta1"
    assert request.object["kind"] == "GrafanaDashboard"
    assert _plain(request.object["spec"]) == {
        "instanceSelector": {"matchLabels": {"dashboards": "gpu"}},
        "allowCrossNamespaceImport": True,
        "json": text,
        "folder": "GPUs",
    }


@pytest.mark.parametrize("instances", [None, {}], ids=str)
def test_dashboards_without_the_label_of_a_grafana_are_refused(register: Register, instances: Any) -> None:
    with pytest.raises(FleetRefused, match="grafana_instances: must name a label"):
        register(dashboards="grafanaOperator", grafana_instances=instances)


@pytest.mark.parametrize(
    ("changes", "of_rules", "of_boards"),
    [
        ({}, "data", "data"),
        ({"rules": "prometheusRule"}, "spec", "data"),
        ({"dashboards": "grafanaOperator", "grafana_instances": {"a": "b"}}, "data", "spec.json"),
    ],
    ids=["config maps", "rule", "dashboards"],
)
def test_a_preview_prints_that_generated_content_changed_and_not_how(
    register: Register, changes: Any, of_rules: str, of_boards: str
) -> None:
    """What is hidden must not be all that differs: the engine would print the old object."""
    before, after = (register(fleet=a_fleet(dense=count), **changes) for count in (7, 3))
    assert {name: list(after[name].hideDiffs) for name in (RULES, *BOARDS)} == {
        RULES: [of_rules],
        **{name: [of_boards] for name in BOARDS},
    }
    for name in (RULES, *BOARDS):
        old, new = (dict(metadata(each[name])["annotations"]) for each in (before, after))
        assert old.keys() == new.keys() == {"mig-fleet.dev/content"}
    assert metadata(before[RULES])["annotations"] != metadata(after[RULES])["annotations"]


def test_another_stack_recognizes_every_object(register: Register) -> None:
    for changes in ({}, {"dashboards": "grafanaOperator", "grafana_instances": {"a": "b"}, "rules": "prometheusRule"}):
        for name, request in register(**changes).items():
            assert name == "m" or dict(metadata(request)["labels"]).items() >= MANAGED.items()


@pytest.mark.parametrize("kind", ["configMap", "prometheusRule"])
def test_rules_that_nothing_would_load_are_refused_with_their_size(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(content, "PROMETHEUS_RULE_BYTES" if kind == "prometheusRule" else "CONFIG_MAP_BYTES", 1000)
    with pytest.raises(content.TooLarge, match=r"the rules would have \d+ bytes, and 1000 are allowed; remove layouts"):
        content.rules(a_fleet(dense=7), Thresholds(), "https://example.com", kind)


def test_a_dashboard_that_nothing_would_load_is_refused_with_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "CONFIG_MAP_BYTES", 1000)
    with pytest.raises(content.TooLarge, match=r"mig-fleet-fleet\.json would have .* `mig-fleet monitoring --out DIR`"):
        content.dashboards(a_fleet(dense=7))


def test_the_largest_stack_that_is_sensible_fits() -> None:
    """Twenty pools, and thirty layouts that each of their nodes may have had."""
    configs = {f"layout-{number}-255390f5": ({"1g.10gb": 2, "2g.20gb": 1, "3g.40gb": 1},) * 8 for number in range(30)}
    pools = (MonitoredPool(f"pool-{number}", "H100-80GB", 8, configs, 2.5) for number in range(20))
    fleet = MonitoredFleet(tuple(pools))
    assert content.rules(fleet, Thresholds(), "https://example.com", "prometheusRule")
    assert content.dashboards(fleet)
