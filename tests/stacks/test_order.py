"""The order of the program, as the engine gets it: dependencies and parents of every resource."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime.mocks import MockMonitor

from mig_fleet.stack_file import fleet
from mig_fleet.stacks import program

WAVES = [f"{pool}-wave-0-verified" for pool in ("inference", "mixed", "training", "whole")]
DESCRIPTIONS = ("monitoring-rules", *(f"monitoring-dashboard-{name}" for name in ("fleet", "node", "pool")))
"""What describes the fleet."""
PROVIDER = "cluster"
"""The Kubernetes provider: it writes nothing, and the engine deletes it after everything that uses it."""


class RecordingMonitor(MockMonitor):
    """Keeps what each resource must wait for: its dependencies and its parent, by name."""

    def __init__(self) -> None:
        super().__init__(_Outputs())
        self.waits_for: dict[str, set[str]] = {}

    def RegisterResource(self, request: Any) -> Any:
        if request.type == "pulumi:pulumi:Stack":
            return super().RegisterResource(request)  # type: ignore[no-untyped-call]  # not annotated in the SDK
        before = [*request.dependencies, *([request.parent] if request.parent else [])]
        self.waits_for[request.name] = {urn.rpartition("::")[2] for urn in before} - {"project-stack"}
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]  # not annotated in the SDK

    def all_before(self, name: str) -> set[str]:
        """What exists before a resource is created, and what is deleted after it."""

        @cache
        def before(name: str) -> frozenset[str]:
            direct = self.waits_for[name]
            return frozenset(direct).union(*(before(each) for each in direct))

        return set(before(name))


class _Outputs(pulumi.runtime.Mocks):
    """Returns inputs as outputs, and the owner."""

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[Any, Any]]:
        return f"{args.name}-id", {"owner": "an owner", **args.inputs}

    def call(self, _args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        return {}, None


def record(managed: bool) -> RecordingMonitor:
    monitor = RecordingMonitor()
    pulumi.runtime.set_mocks(monitor.mocks, preview=False, monitor=monitor)
    declared = fleet.from_file(Path("stacks/Pulumi.local.yaml"))
    settings = declared.settings.model_copy(
        update={"operator": declared.settings.operator.model_copy(update={"managed": managed})}
    )
    found = replace(declared, settings=settings, serves_rules=True)
    pulumi.runtime.test(lambda: program.deploy(found) and None)()  # type: ignore[no-untyped-call]  # not annotated in the SDK
    return monitor


@pytest.fixture(scope="module", params=[True, False], ids=["our operator", "another operator"])
def engine(request: pytest.FixtureRequest) -> Iterator[RecordingMonitor]:
    """The recorder after the whole program ran."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield record(request.param)
    asyncio.set_event_loop(None)
    loop.close()


def test_nothing_is_written_before_the_owner_was_checked(engine: RecordingMonitor) -> None:
    names = engine.waits_for.keys() - {PROVIDER, "cluster-owner"}
    assert len(names) > 25
    assert [name for name in sorted(names) if "cluster-owner" not in engine.all_before(name)] == []
    assert engine.waits_for["cluster-owner"] == set()


def test_nothing_is_written_before_the_objects_of_others_were_looked_for(engine: RecordingMonitor) -> None:
    """The hook of the provider looks for them; an object waits for its provider without naming it here."""
    assert engine.waits_for[PROVIDER] == {"cluster-owner"}
    ours = [name for name in engine.waits_for if name.endswith(("-file", "-assigned", "-verified", "-objects"))]
    assert [name for name in ours if PROVIDER not in engine.all_before(name)] == []


def test_a_destroy_begins_with_the_guard(engine: RecordingMonitor) -> None:
    others = engine.waits_for.keys() - {"destroy-guard"}
    assert engine.all_before("destroy-guard") == others, "what nothing depends on is deleted at the same time"


def test_the_rules_know_the_new_configs_and_those_that_nodes_carry_before_a_node_changes(
    engine: RecordingMonitor,
) -> None:
    for name in DESCRIPTIONS:
        assert "layouts-file" in engine.all_before(name), "it has the configs that nodes carry"
        assert all(name in engine.all_before(wave) for wave in WAVES)
        assert not any(wave in engine.all_before(name) for wave in WAVES)


def test_what_another_user_changed_of_rules_and_dashboards_is_restored_before_a_node_changes(
    engine: RecordingMonitor,
) -> None:
    assert {*DESCRIPTIONS, "monitoring-metrics"} <= engine.all_before("supporting-objects")
    assert all("supporting-objects" in engine.all_before(wave) for wave in WAVES)


def test_the_operator_finds_the_metrics_list_and_the_layout_file(engine: RecordingMonitor) -> None:
    for name in [*WAVES, *(["gpu-operator-release"] if "gpu-operator-release" in engine.waits_for else [])]:
        assert {"monitoring-metrics", "layouts-file"} <= engine.all_before(name)
