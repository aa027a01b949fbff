"""A pool registers wave after wave, each assigned, then verified; one that is impossible registers nothing."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pulumi
import pytest

from mig_fleet.components.pool import Pool, PoolArgs, PoolRefused
from mig_fleet.model.layouts import Layout
from mig_fleet.model.strategy import Strategy
from tests.memory.fleet import DENSE

NODES = [f"n{number}" for number in range(1, 6)]


class Recording(pulumi.runtime.Mocks):
    """Remembers registrations in their order."""

    def __init__(self) -> None:
        self.created: dict[str, dict[str, Any]] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[Any, Any]]:
        self.created[args.name] = args.inputs
        return f"{args.name}-id", dict(args.inputs)

    def call(self, _args: pulumi.runtime.MockCallArgs) -> dict[Any, Any]:
        return {}


@pytest.fixture
def deploy() -> Iterator[Callable[[Recording, PoolArgs], list[str]]]:
    """Runs a program with one pool to its end; the names of what was registered, in order."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)

    def run(engine: Recording, args: PoolArgs) -> list[str]:
        pulumi.runtime.set_mocks(engine, preview=False)
        pulumi.runtime.test(lambda: Pool("p", args) and None)()
        return list(engine.created)

    yield run
    asyncio.set_event_loop(None)
    loop.close()


def a_pool(**changes: Any) -> PoolArgs:
    """Five nodes, two at once."""
    args: dict[str, Any] = {
        "cluster": {},
        "namespace": "gpu-operator",
        "reports": "mig-fleet",
        "gpu": "H100-80GB",
        "gpus_per_node": 8,
        "nodes": NODES,
        "layout": DENSE,
        "strategy": Strategy.MIXED,
        "rollout": {"max_unavailable": 2, "canary": 1},
    }
    return {**args, **changes}  # type: ignore[return-value,typeddict-item]


def test_each_wave_is_assigned_and_verified_before_the_next_one_starts(
    deploy: Callable[[Recording, PoolArgs], list[str]],
) -> None:
    engine = Recording()
    _pool, *steps = deploy(engine, a_pool())
    assert steps[:2] == ["p-canary-assigned", "p-canary-verified"]
    assert [step.rpartition("-")[2] for step in steps] == ["assigned", "verified"] * (len(steps) // 2)
    members = [engine.created[step]["nodes"] for step in steps if step.endswith("-assigned")]
    assert sorted(node for nodes in members for node in nodes) == NODES
    assert all(0 < len(nodes) <= 2 for nodes in members)


def test_waves_beyond_the_bound_are_registered_as_waiting(deploy: Callable[[Recording, PoolArgs], list[str]]) -> None:
    engine = Recording()
    deploy(engine, a_pool(most_waves=1))
    held = {name: inputs["held"] for name, inputs in engine.created.items() if name.endswith("-assigned")}
    assert held == {name: name != "p-canary-assigned" for name in held}


def test_a_wave_that_goes_knows_the_nodes_that_keep_what_they_have(
    deploy: Callable[[Recording, PoolArgs], list[str]],
) -> None:
    engine = Recording()
    deploy(engine, a_pool(most_waves=1))
    (canary,) = engine.created["p-canary-assigned"]["nodes"]
    assert engine.created["p-canary-assigned"]["staying"] == [node for node in NODES if node != canary]
    unbounded = Recording()
    deploy(unbounded, a_pool())
    assert unbounded.created["p-canary-assigned"]["staying"] == []


def test_every_wave_knows_what_the_stack_declares(deploy: Callable[[Recording, PoolArgs], list[str]]) -> None:
    alone, among_others = Recording(), Recording()
    deploy(alone, a_pool())
    deploy(among_others, a_pool(declared=["z", *NODES]))
    assert alone.created["p-canary-assigned"]["declared"] == " ".join(sorted(NODES))
    assert among_others.created["p-canary-assigned"]["declared"] == " ".join([*sorted(NODES), "z"])


def test_a_pool_without_nodes_waits_for_its_first_one(deploy: Callable[[Recording, PoolArgs], list[str]]) -> None:
    assert deploy(Recording(), a_pool(nodes=[])) == ["p"]


def test_a_pool_that_the_hardware_cannot_be_registers_nothing(
    deploy: Callable[[Recording, PoolArgs], list[str]],
) -> None:
    engine = Recording()
    greedy = Layout.parse("greedy", {"gpu": "H100-80GB", "all": {"3g.40gb": 2, "1g.10gb": 1}})
    with pytest.raises(PoolRefused, match=r"3g\.40gb"):
        deploy(engine, a_pool(layout=greedy))
    assert engine.created == {}, "a refused layout must leave no half-made pool behind"


def test_an_expectation_names_what_nvml_the_kubelet_and_gfd_shall_say(
    deploy: Callable[[Recording, PoolArgs], list[str]],
) -> None:
    engine = Recording()
    deploy(engine, a_pool(gpus_per_node=2))
    assert engine.created["p-canary-verified"]["expected"] == {
        "config": DENSE.config_name,
        "gpu": "H100-80GB",
        "gpus": [{"1g.10gb": 7}, {"1g.10gb": 7}],
        "allocatable": {"nvidia.com/mig-1g.10gb": 14},
        "labels": {"nvidia.com/mig-1g.10gb.count": "14", "nvidia.com/mig.strategy": "mixed"},
        "strategy": "mixed",
    }
