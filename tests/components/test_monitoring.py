"""The monitoring objects: together for a user's program, the metrics list apart where the operator needs it first."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pulumi
import pytest
from pulumi.runtime.mocks import MockMonitor

from mig_fleet.components.monitoring import Monitoring, MonitoringArgs, WatchedPool, metrics_list

ARGS: MonitoringArgs = {"namespace": "gpu-operator", "pools": [], "dashboard": True, "rules": "configMap"}
MANAGED = {"app.kubernetes.io/managed-by": "mig-fleet"}


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


Register = Callable[[Callable[[], object]], dict[str, Any]]


@pytest.fixture
def register() -> Iterator[Register]:
    """Runs a program to its end; returns what it registered."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)

    def run(program: Callable[[], object]) -> dict[str, Any]:
        monitor = Recording()
        pulumi.runtime.set_mocks(monitor.mocks, preview=False, monitor=monitor)
        pulumi.runtime.test(lambda: program() and None)()  # type: ignore[no-untyped-call]  # not annotated in the SDK
        return monitor.requests

    yield run
    asyncio.set_event_loop(None)
    loop.close()


def test_a_program_of_its_own_gets_all_objects_from_one_component(register: Register) -> None:
    found = register(lambda: Monitoring("m", ARGS))
    assert found.keys() == {"m", "m-metrics", "m-dashboard", "m-rules"}
    assert {found[name].parent.rpartition("::")[2] for name in found.keys() - {"m"}} == {"m"}
    assert not found["m-metrics"].aliases


def test_a_metrics_list_that_comes_first_is_the_one_of_older_states(register: Register) -> None:
    def program() -> None:
        metrics = metrics_list("m", "gpu-operator", pulumi.ResourceOptions())
        Monitoring("m", {**ARGS, "metrics_config_map": metrics})

    found = register(program)
    assert found.keys() == {"m", "m-metrics", "m-dashboard", "m-rules"}
    (alias,) = found["m-metrics"].aliases
    assert "mig-fleet:index:Monitoring" in str(alias), "otherwise Pulumi would delete it, and create one of that name"


def objects(register: Register, pools: list[WatchedPool], rules: str) -> list[Any]:
    found = register(lambda: Monitoring("m", {**ARGS, "pools": pools, "rules": rules}))
    return [found["m-dashboard"], found["m-rules"]]


@pytest.mark.parametrize("rules", ["configMap", "prometheusRule"])
def test_a_preview_prints_that_generated_content_changed_and_not_how(register: Register, rules: str) -> None:
    """What is hidden must not be all that differs: the engine would print the old object."""
    kinds = [objects(register, [WatchedPool("a", ("n1",), slices)], rules) for slices in (7, 14)]
    for before, after in zip(*kinds, strict=True):
        assert list(after.hideDiffs) == ["spec" if "spec" in after.object else "data"]
        old, new = ({**request.object["metadata"]["annotations"]} for request in (before, after))
        assert old.keys() == new.keys() == {"mig-fleet.dev/content"}
        assert old != new


def test_another_stack_recognizes_every_object(register: Register) -> None:
    found = register(lambda: Monitoring("m", {**ARGS, "monitor_labels": {"release": "prometheus"}}))
    labels = {
        name: dict(request.object["metadata"]["labels"])
        for name, request in found.items()
        if "metadata" in request.object
    }
    assert labels == {
        "m-metrics": MANAGED,
        "m-dashboard": {**MANAGED, "grafana_dashboard": "1"},
        "m-rules": {**MANAGED, "release": "prometheus"},
    }
