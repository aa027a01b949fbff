"""With `configName: keep` a node keeps its own config name as long as its slices are as declared."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from mig_fleet.model import labels
from mig_fleet.observed.configs.names import expected_by_node, expected_config, has_declared_slices
from mig_fleet.observed.expected import Expected
from mig_fleet.observed.snapshot import Node
from tests.memory.fixtures import CONFIG
from tests.memory.fleet import a_gpu

STOCK = "all-1g.10gb"
SEVEN = {"1g.10gb": 7}
MakeNode = Callable[..., Node]


@pytest.fixture
def kept(a_node: MakeNode) -> Node:
    """A node with the declared slices under NVIDIA's name."""
    node = a_node(config=STOCK)
    assert node.report is not None
    return replace(node, report=replace(node.report, config=STOCK))


def with_gpus(node: Node, *slices: dict[str, int] | None) -> Node:
    assert node.report is not None
    gpus = tuple(a_gpu(index, profiles) for index, profiles in enumerate(slices))
    return replace(node, report=replace(node.report, gpus=gpus))


def test_a_node_with_the_declared_slices_keeps_its_name(expected: Expected, kept: Node) -> None:
    assert expected_config(expected, kept, "keep") == STOCK


def test_a_stack_that_does_not_keep_names_gives_each_node_ours(expected: Expected, kept: Node) -> None:
    assert expected_config(expected, kept, "generated") == CONFIG


def test_a_node_that_is_missing_or_has_no_config_gets_ours(expected: Expected, a_node: MakeNode) -> None:
    assert expected_config(expected, None, "keep") == CONFIG
    assert expected_config(expected, a_node(config=""), "keep") == CONFIG


@pytest.mark.parametrize("state", ["failed", "pending", "rebooting", ""])
def test_a_node_that_mig_manager_has_not_finished_gets_ours(expected: Expected, kept: Node, state: str) -> None:
    node = replace(kept, labels={**kept.labels, labels.STATE: state})
    assert expected_config(expected, node, "keep") == CONFIG


@pytest.mark.parametrize("second", [{"1g.10gb": 6}, {"3g.40gb": 2}, {}, None])
def test_a_node_with_other_slices_on_one_gpu_gets_ours(
    expected: Expected, kept: Node, second: dict[str, int] | None
) -> None:
    assert expected_config(expected, with_gpus(kept, SEVEN, second), "keep") == CONFIG


def test_a_mode_change_that_waits_for_a_reset_is_not_as_declared(expected: Expected, kept: Node) -> None:
    assert kept.report is not None
    waiting = a_gpu(1, SEVEN, mig_mode_pending=False)
    node = replace(kept, report=replace(kept.report, gpus=(a_gpu(0, SEVEN), waiting)))
    assert expected_config(expected, node, "keep") == CONFIG


@pytest.mark.parametrize(("offered", "config"), [(14, STOCK), (13, CONFIG)])
def test_before_the_first_report_what_the_kubelet_offers_decides(
    expected: Expected, kept: Node, offered: int, config: str
) -> None:
    node = replace(kept, report=None, allocatable={"nvidia.com/mig-1g.10gb": offered})
    assert expected_config(expected, node, "keep") == config


def test_a_report_from_before_the_last_change_does_not_decide(expected: Expected, kept: Node) -> None:
    """Its slices may be those of the config before."""
    assert kept.report is not None
    old = with_gpus(kept, {"3g.40gb": 2}, {"3g.40gb": 2})
    assert old.report is not None
    node = replace(kept, report=replace(old.report, config="all-3g.40gb"))
    assert has_declared_slices(expected, node), "the kubelet offers the declared slices"


def test_a_report_with_a_driver_error_proves_nothing(expected: Expected, kept: Node) -> None:
    assert kept.report is not None
    node = replace(kept, report=replace(kept.report, gpus=(), errors=("nvmlInit: Driver Not Loaded",)))
    assert expected_config(expected, node, "keep") == STOCK


def test_once_assigned_each_node_is_compared_under_the_name_that_it_carries(expected: Expected, kept: Node) -> None:
    nodes = {"n1": kept, "n2": replace(kept, name="n2", labels={})}
    found = expected_by_node(expected, ["n1", "n2", "n3"], nodes, "keep")
    assert {name: of_node.config for name, of_node in found.items()} == {"n1": STOCK, "n2": CONFIG, "n3": CONFIG}
    assert all(of_node.gpus == expected.gpus for of_node in found.values())
    assert expected_by_node(expected, ["n1"], nodes, "generated") == {"n1": expected}
