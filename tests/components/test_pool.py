"""A pool registers wave after wave, each assigned and then verified; an impossible pool registers nothing."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pulumi
import pytest

from mig_fleet.components.pool import Pool, PoolArgs, PoolRefused
from mig_fleet.model.layouts import Layout
from mig_fleet.model.strategy import Strategy
from mig_fleet.model.wave_nodes import node_names
from tests.memory.fleet import DENSE

NODES = [f"n{number}" for number in range(1, 6)]


class Recording(pulumi.runtime.Mocks):
    """Records registrations in their order; that of ``failing`` fails."""

    def __init__(self, failing: str = "") -> None:
        self.created: dict[str, dict[str, Any]] = {}
        self.outputs: dict[str, dict[str, Any]] = {}
        """Resource → what it has beside its inputs."""
        self._failing = failing

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[Any, Any]]:
        self.created[args.name] = args.inputs
        if args.name == self._failing:
            raise RuntimeError("it failed")
        return f"{args.name}-id", {**args.inputs, **self.outputs.get(args.name, {})}

    def call(self, _args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        return {}, None


Deploy = Callable[..., list[str]]


@pytest.fixture
def deploy() -> Iterator[Deploy]:
    """Runs a program with one pool, and ``use`` of it, to its end; returns the names of its resources in the order of
    registration.
    """
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.set_exception_handler(lambda *_: None)  # else it prints each registration that fails on purpose

    def run(
        engine: Recording, args: PoolArgs, use: Callable[[Pool], object] = lambda _: None, preview: bool = False
    ) -> list[str]:
        pulumi.runtime.set_mocks(engine, preview=preview)
        pulumi.runtime.test(lambda: use(Pool("p", args)) and None)()  # type: ignore[no-untyped-call]  # not annotated in the SDK
        return list(engine.created)

    yield run
    asyncio.set_event_loop(None)
    loop.close()


def a_pool(**changes: Any) -> PoolArgs:
    """Five nodes, of which two may be unavailable at once."""
    args: dict[str, Any] = {
        "cluster": {},
        "namespace": "gpu-operator",
        "reports_namespace": "mig-fleet",
        "gpu": "H100-80GB",
        "gpus_per_node": 8,
        "nodes": NODES,
        "layout": DENSE,
        "strategy": Strategy.MIXED,
        "rollout": {"max_unavailable": 2, "canary": 1},
    }
    return {**args, **changes}  # type: ignore[typeddict-item]


def test_each_wave_is_assigned_and_verified_before_the_next_one_starts(
    deploy: Deploy,
) -> None:
    engine = Recording()
    _pool, *steps = deploy(engine, a_pool())
    assert steps[:2] == ["p-canary-assigned", "p-canary-verified"]
    assert [step.rpartition("-")[2] for step in steps] == ["assigned", "verified"] * (len(steps) // 2)
    members = [node_names(engine.created[step]) for step in steps if step.endswith("-assigned")]
    assert sorted(node for nodes in members for node in nodes) == NODES
    assert all(0 < len(nodes) <= 2 for nodes in members)


STEPS = [f"p-{wave}-{step}" for wave in ("canary", "wave-0010", "wave-0011") for step in ("assigned", "verified")]


@pytest.mark.parametrize("failing", STEPS)
def test_a_step_that_fails_blocks_every_later_one_and_none_before_it(deploy: Deploy, failing: str) -> None:
    engine = Recording(failing=failing)
    with pytest.raises(RuntimeError, match="it failed"):
        deploy(engine, a_pool(rollout={"max_unavailable": 1, "canary": 1}))
    _pool, *steps = engine.created
    assert steps[: len(STEPS)] == STEPS and len(steps) > len(STEPS)
    number = steps.index(failing)
    assert [engine.created[step]["blocked"] for step in steps] == [at > number for at in range(len(steps))]


def test_waves_beyond_the_limit_are_registered_as_held(deploy: Deploy) -> None:
    engine = Recording()
    deploy(engine, a_pool(max_waves=1))
    held = {name: inputs["held"] for name, inputs in engine.created.items() if name.endswith("-assigned")}
    assert held == {name: name != "p-canary-assigned" for name in held}


def test_every_wave_gets_the_names_of_the_nodes_that_change_before_it_in_the_same_update(deploy: Deploy) -> None:
    engine = Recording()
    deploy(engine, a_pool())
    assigned = [inputs for name, inputs in engine.created.items() if name.endswith("-assigned")]
    for number, inputs in enumerate(assigned):
        assert inputs["earlierNodes"].split() == [node for before in assigned[:number] for node in node_names(before)]
    limited = Recording()
    deploy(limited, a_pool(max_waves=1))
    (canary,) = node_names(limited.created["p-canary-assigned"])
    found = {inputs.get("earlierNodes") for name, inputs in limited.created.items() if name.endswith("-assigned")}
    assert found == {"", canary}, "waves that wait do not change"


def test_every_wave_gets_the_names_of_all_declared_nodes(deploy: Deploy) -> None:
    alone, among_others = Recording(), Recording()
    deploy(alone, a_pool())
    deploy(among_others, a_pool(declared_nodes=["z", *NODES]))
    assert alone.created["p-canary-assigned"]["declaredNodes"] == " ".join(sorted(NODES))
    assert among_others.created["p-canary-assigned"]["declaredNodes"] == " ".join([*sorted(NODES), "z"])


def test_every_wave_has_the_cost_of_its_nodes_if_there_is_a_price(deploy: Deploy) -> None:
    priced, unpriced = Recording(), Recording()
    deploy(priced, a_pool(price=2.5))
    deploy(unpriced, a_pool())
    waves = [inputs for name, inputs in priced.created.items() if name.endswith("-assigned")]
    assert [inputs["costPerHourUsd"] for inputs in waves] == [2.5 * 8 * len(node_names(inputs)) for inputs in waves]
    assert not any("costPerHourUsd" in inputs for inputs in unpriced.created.values())


def test_a_pool_without_nodes_has_no_waves(deploy: Deploy) -> None:
    assert deploy(Recording(), a_pool(nodes=[])) == ["p"]


def test_a_pool_that_the_hardware_cannot_be_is_refused_before_anything_is_registered(
    deploy: Deploy,
) -> None:
    engine = Recording()
    too_large = Layout.parse("too-large", {"gpu": "H100-80GB", "all": {"3g.40gb": 2, "1g.10gb": 1}})
    with pytest.raises(PoolRefused, match=r"3g\.40gb"):
        deploy(engine, a_pool(layout=too_large))
    assert engine.created == {}, "a refused layout must not leave a part of a pool"


def test_the_expected_state_is_an_input_of_the_verification(
    deploy: Deploy,
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


def test_in_the_first_preview_the_slices_of_a_pool_are_not_known(deploy: Deploy) -> None:
    found: list[Any] = []
    use = lambda pool: pool.slices.apply(found.append, run_with_unknowns=True)  # noqa: E731
    deploy(Recording(), a_pool(), use, True)
    assert [*map(pulumi.runtime.rpc.contains_unknowns, found)] == [True]


@pytest.mark.parametrize("preview", [False, True], ids=["in an update", "in a preview"])
def test_the_slices_of_a_pool_are_those_of_its_waves_by_node_also_of_an_earlier_state(
    deploy: Deploy, preview: bool
) -> None:
    engine, found = Recording(), list[dict[str, str]]()
    engine.outputs = {
        "p-canary-verified": {"slices": {"n2": "GPU 0: MIG off", "n1": "GPU 0: 7x 1g.10gb"}},
        "p-wave-0-verified": {"reported": {"GPU 0: MIG off": "n4\n", "GPU 0: 7x 1g.10gb": "n3\nn5\n"}},
    }
    args = a_pool(rollout={"max_unavailable": 5, "canary": 1})
    deploy(engine, args, lambda pool: pool.slices.apply(found.append), preview)
    small, off = "GPU 0: 7x 1g.10gb", "GPU 0: MIG off"
    assert [list(each.items()) for each in found] == [
        [("n1", small), ("n2", off), ("n3", small), ("n4", off), ("n5", small)]
    ]
