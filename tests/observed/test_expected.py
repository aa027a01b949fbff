"""What every node of a wave must show, and its form in Pulumi's state."""

from collections.abc import Callable

from mig_fleet.model.strategy import Strategy
from mig_fleet.observed.differences import node_differences
from mig_fleet.observed.expected import Expected
from mig_fleet.observed.snapshot import Node
from tests.memory.fleet import DENSE


def test_counts_that_pulumi_returns_as_floats_are_the_same_counts(
    expected: Expected, a_node: Callable[..., Node]
) -> None:
    floats = {"gpus": [{"1g.10gb": 7.0}, {"1g.10gb": 7.0}], "allocatable": {"nvidia.com/mig-1g.10gb": 14.0}}
    returned = Expected.from_properties({**expected.to_properties(), **floats})
    assert returned == expected
    assert node_differences(returned, "n1", a_node()) == []


def test_the_properties_are_plain_values_and_are_read_back_unchanged() -> None:
    expected = Expected.of_gpus("half-1c0ffee2", [{"1g.10gb": 7}, None], Strategy.MIXED, "H100-80GB")
    assert expected.to_properties() == {
        "config": "half-1c0ffee2",
        "gpu": "H100-80GB",
        "gpus": [{"1g.10gb": 7}, None],
        "allocatable": {"nvidia.com/gpu": 1, "nvidia.com/mig-1g.10gb": 7},
        "labels": {"nvidia.com/mig-1g.10gb.count": "7", "nvidia.com/mig.strategy": "mixed"},
        "strategy": "mixed",
    }
    assert Expected.from_properties(expected.to_properties()) == expected


def test_a_layout_is_expected_of_each_gpu_of_a_node() -> None:
    expected = Expected.of_layout(DENSE, 2, Strategy.MIXED)
    assert (expected.config, expected.gpus) == (DENSE.config_name, ({"1g.10gb": 7}, {"1g.10gb": 7}))
