"""`make benchmark-preview` fails above each of its bounds, and on no other figure."""

import pytest

from benchmarks.preview import Fleet, beyond_bounds
from benchmarks.project import Cost


def a_fleet(nodes: int, preview_s: float, empty_s: float = 1.0, bytes_per_node: float = 200.0) -> Fleet:
    def cost(seconds: float) -> list[Cost]:
        """The second run was disturbed by other work."""
        return [Cost(seconds, seconds, 100.0), Cost(seconds + 5, seconds, 100.0)]

    return Fleet(nodes, {"empty": cost(empty_s), "pools": cost(preview_s)}, [0.1], bytes_per_node)


def test_a_preview_within_its_bounds_is_accepted() -> None:
    assert beyond_bounds([a_fleet(100, 1.5), a_fleet(1000, 1.8), a_fleet(5000, 2.9)]) == []


@pytest.mark.parametrize(
    ("largest", "reason"),
    [
        (a_fleet(5000, 1.8 + 4.0 * 0.41, empty_s=2.0), "grows by 0.41 ms per node"),
        (a_fleet(5000, 3.1), "3.10 times as long as an empty program's"),
        (a_fleet(5000, 2.5, bytes_per_node=2000.0), "2000 bytes per node"),
    ],
    ids=["growth", "multiple", "state"],
)
def test_each_bound_is_named_when_it_is_exceeded(largest: Fleet, reason: str) -> None:
    (found,) = beyond_bounds([a_fleet(100, 1.5), a_fleet(1000, 1.8), largest])
    assert reason in found
