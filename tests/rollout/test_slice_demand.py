"""How many pods the free slices serve, compared with every possible assignment on small clusters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.rollout.stranding import slice_demand
from mig_fleet.rollout.stranding.slice_demand import Demand, serve

A, B = "nvidia.com/mig-1g.10gb", "nvidia.com/mig-3g.40gb"
NODES = ("n1", "n2", "n3")
Free = dict[str, dict[str, int]]


def most_pods(demands: list[Demand], free: Free) -> int:
    """The most pods that get their slices at the same time, from all assignments."""
    pods = [demand for demand in demands for _ in range(demand.count)]

    def best(index: int, left: Free) -> int:
        if index == len(pods):
            return 0
        found = best(index + 1, left)
        for node in pods[index].nodes:
            rest = {name: left[node].get(name, 0) - n for name, n in pods[index].requests.items()}
            if min(rest.values()) >= 0:
                found = max(found, 1 + best(index + 1, {**left, node: {**left[node], **rest}}))
        return found

    return best(0, free)


requests = st.sampled_from([{A: 1}, {A: 2}, {A: 3}, {B: 1}, {A: 1, B: 1}, {A: 2, B: 1}])
demand = st.builds(
    Demand,
    requests=requests,
    nodes=st.sets(st.sampled_from(NODES)).map(lambda nodes: tuple(sorted(nodes))),
    count=st.integers(1, 2),
)
free_slices = st.fixed_dictionaries(
    {node: st.fixed_dictionaries({A: st.integers(0, 4), B: st.integers(0, 2)}) for node in NODES}
)


@given(st.lists(demand, max_size=4), free_slices)
def test_as_many_pods_are_served_as_the_best_assignment_serves(demands: list[Demand], free: Free) -> None:
    assert sum(serve(demands, free).placed) == most_pods(demands, free)


@given(st.lists(demand, max_size=4), free_slices)
def test_the_slices_that_are_left_are_those_that_no_pod_got(demands: list[Demand], free: Free) -> None:
    served = serve(demands, free)
    for name in (A, B):
        got = sum(number * demand.requests.get(name, 0) for demand, number in zip(demands, served.placed, strict=True))
        assert sum(left[name] for left in served.free.values()) == sum(node[name] for node in free.values()) - got
    assert all(number >= 0 for left in served.free.values() for number in left.values())
    assert all(number <= demand.count for demand, number in zip(demands, served.placed, strict=True))


@given(st.lists(demand, max_size=4), free_slices)
def test_a_search_that_ends_early_leaves_no_pod_out_wrongly(demands: list[Demand], free: Free) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slice_demand, "MAX_STEPS", 0)
        left_out = sum(demand.count for demand in demands) - sum(serve(demands, free).placed)
    if left_out:
        assert most_pods(demands, free) < sum(demand.count for demand in demands), "all pods can be served"


@pytest.mark.parametrize(
    ("demands", "free", "left_out", "why"),
    [
        ([({A: 3}, 1), ({A: 2}, 3)], (4, 5), 0, "first fit leaves one out, but n1 may serve two pods and n2 two"),
        ([({A: 3}, 1), ({A: 2}, 3)], (4, 4), 1, "eight slices for nine"),
        ([({A: 1}, 1), ({A: 2}, 3)], (3, 3, 1), 1, "each node has room for one pod with two slices"),
    ],
)
def test_without_a_search_only_slices_that_are_too_few_leave_a_pod_out(
    monkeypatch: pytest.MonkeyPatch,
    demands: list[tuple[dict[str, int], int]],
    free: tuple[int, ...],
    left_out: int,
    why: str,
) -> None:
    monkeypatch.setattr(slice_demand, "MAX_STEPS", 0)
    left = {f"n{number}": {A: n} for number, n in enumerate(free, 1)}
    asked = [Demand(each, tuple(left), count) for each, count in demands]
    assert sum(count for _, count in demands) - sum(serve(asked, left).placed) == left_out, why


def test_a_pod_moves_aside_for_one_that_fits_nowhere_else() -> None:
    anywhere, only_first = Demand({A: 1}, ("n1", "n2")), Demand({A: 1}, ("n1",))
    assert serve([anywhere, only_first], {"n1": {A: 1}, "n2": {A: 1}}).placed == (1, 1)


def test_two_slices_on_two_nodes_do_not_serve_a_pod_that_requests_both() -> None:
    assert serve([Demand({A: 2}, ("n1", "n2"))], {"n1": {A: 1}, "n2": {A: 1}}).placed == (0,)


def test_a_thousand_nodes_and_thousands_of_pods_are_counted() -> None:
    nodes = tuple(f"n{number}" for number in range(1000))
    free = {node: {A: 6} for node in nodes}
    half = Demand({A: 1}, nodes[:500], 3000)
    assert serve([Demand({A: 1}, nodes, 4000), half], free).placed == (4000, 2000)
    assert serve([Demand({A: 4}, nodes, 1001)], free).placed == (1000,)


def test_pods_of_two_sizes_share_the_slices_of_a_hundred_nodes() -> None:
    nodes = tuple(f"n{number}" for number in range(100))
    free = {node: {A: 6} for node in nodes}
    assert sum(serve([Demand({A: 4}, nodes, 101), Demand({A: 1}, nodes[:50], 300)], free).placed) < 401
    assert serve([Demand({A: 4}, nodes, 90), Demand({A: 2}, nodes, 110)], free).placed == (90, 110)
