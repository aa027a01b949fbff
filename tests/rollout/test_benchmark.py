"""The times that the benchmark of rollouts reads from a watch on the nodes, and the bound on what verification adds."""

from collections.abc import Iterator

import pytest

from benchmarks.node_times import NodeObserver
from benchmarks.project import Cost
from benchmarks.request_count import Count, Load
from benchmarks.rollout import MOST_VERIFICATION_S, Change
from mig_fleet.model import labels
from mig_fleet.simulator.api import Json

OLD, NEW = "old-1", "new-1"


def node(name: str, wave: str, config: str, state: str | None, verified: str, *, isolated: bool = False) -> Json:
    return {
        "metadata": {
            "name": name,
            "labels": {labels.CONFIG: config, **({labels.STATE: state} if state else {})},
            "annotations": {labels.WAVE: wave, labels.VERIFIED_CONFIG: verified},
        },
        "status": {"allocatable": {"nvidia.com/gpu": "8"}},
        "spec": {"taints": [{"key": labels.TAINT}] if isolated else []},
    }


def a_change(name: str, wave: str) -> list[Json]:
    """What a watch shows of a node, step by step."""
    return [
        node(name, wave, OLD, "success", OLD),
        node(name, wave, OLD, "success", OLD, isolated=True),
        node(name, wave, NEW, None, OLD, isolated=True),
        node(name, wave, NEW, "pending", OLD, isolated=True),
        node(name, wave, NEW, "success", OLD, isolated=True),
        node(name, wave, NEW, "success", NEW, isolated=True),
        node(name, wave, NEW, "success", NEW),
    ]


def observed(*events: tuple[float, Json, Json]) -> NodeObserver:
    clock: Iterator[float] = iter([at for at, _, _ in events])
    observer = NodeObserver(lambda: next(clock))
    for _, before, after in events:
        observer(before, after)
    return observer


def steps(name: str, wave: str, *times: float) -> list[tuple[float, Json, Json]]:
    """The events of one node: isolated, labelled, pending, success, recorded, restored."""
    states = a_change(name, wave)
    return list(zip(times, states[:-1], states[1:], strict=True))


def test_the_times_of_a_wave_begin_with_its_first_node_and_end_with_its_last() -> None:
    early, late = steps("a", "pool/1", 1, 10, 11, 20, 24, 25), steps("b", "pool/1", 2, 12, 13, 23, 24, 26)
    (wave,) = observed(*sorted(early + late, key=lambda event: event[0])).waves
    assert wave.isolation_s == 10 - 1
    assert wave.manager_s == 23 - 10 and sorted(wave.node_manager_s) == [10, 11]
    assert sorted(wave.verification_s) == [25 - 23, 26 - 23]
    assert sorted(wave.node_verification_s) == [26 - 23, 25 - 20]


def test_each_wave_has_its_own_times() -> None:
    found = observed(*steps("a", "pool/1", 1, 2, 3, 4, 5, 6), *steps("b", "pool/2", 7, 8, 9, 10, 11, 14))
    assert [wave.verification_s for wave in found.waves] == [[2], [4]]


def test_a_node_that_is_still_isolated_is_unfinished() -> None:
    found = observed(*steps("a", "pool/1", 1, 2, 3, 4, 5, 6)[:-1])
    assert found.unfinished == ["a"] and found.waves == []


def test_a_recovered_node_counts_from_its_last_success() -> None:
    before, *_, restored = states = a_change("a", "pool/1")
    failed = node("a", "pool/1", NEW, "failed", OLD, isolated=True)
    events = [before, states[1], states[2], states[4], failed, states[4], restored]
    (wave,) = observed(*zip(range(1, 7), events[:-1], events[1:], strict=True)).waves
    assert wave.manager_s == 5 - 2 and wave.verification_s == [1]


def test_what_the_device_plugin_offers_late_is_known() -> None:
    *before, verified, restored = a_change("a", "pool/1")
    late = {**before[-1], "status": {"allocatable": {"nvidia.com/mig-1g.10gb": "7"}}}
    events = [*before, late, {**late, "metadata": verified["metadata"]}, {**late, **restored, "status": late["status"]}]
    (wave,) = observed(*zip(range(1, 8), events[:-1], events[1:], strict=True)).waves
    assert wave.operands_s == 1 and wave.verification_s == [3]


@pytest.mark.parametrize(("added_s", "is_in_bound"), [(MOST_VERIFICATION_S, True), (MOST_VERIFICATION_S + 1, False)])
def test_a_wave_whose_verification_adds_more_than_the_bound_fails_the_benchmark(
    added_s: float, is_in_bound: bool
) -> None:
    fast = steps("a", "pool/1", 1, 2, 3, 4, 5, 6)
    slow = steps("b", "pool/2", 7, 8, 9, 10, 10, 10 + added_s)
    count = Count(at=0, requests={}, processor_s=0, memory_mib=0, watches=0)
    change = Change(Cost(20, 3, 100), observed(*fast, *slow).waves, Load(count, count), label_s=0.1, state_bytes=400)
    assert change.is_in_bound == is_in_bound
    assert f"maximum {added_s:.1f} s (bound {MOST_VERIFICATION_S:g} s)" in change.verification()
