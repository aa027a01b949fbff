"""With `configName: keep` a node keeps its own config name as long as its slices are as declared."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from mig_fleet.model import labels
from mig_fleet.model.strategy import Strategy
from mig_fleet.observed.configs.declared_slices import has_declared_slices, undeclared_slices
from mig_fleet.observed.configs.names import expected_by_node, expected_config
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


def test_before_the_first_report_the_counts_of_gfd_must_agree_too(expected: Expected, kept: Node) -> None:
    """The kubelet may still offer slices that no longer exist (k8s-device-plugin #214)."""
    node = replace(kept, report=None, labels={**kept.labels, "nvidia.com/mig-1g.10gb.count": "12"})
    assert expected_config(expected, node, "keep") == CONFIG
    assert undeclared_slices(expected, node) == ["nvidia.com/mig-1g.10gb: expected 14, GPU Feature Discovery counts 12"]
    more = replace(kept, report=None, labels={**kept.labels, "nvidia.com/mig-3g.40gb.count": "1"})
    assert undeclared_slices(expected, more) == ["nvidia.com/mig-3g.40gb: expected 0, GPU Feature Discovery counts 1"]


@pytest.mark.parametrize(("strategy", "config"), [("", STOCK), ("mixed", CONFIG)])
def test_gfd_that_counts_no_slices_says_nothing_unless_it_serves_the_strategy(
    expected: Expected, kept: Node, strategy: str, config: str
) -> None:
    without = {key: value for key, value in kept.labels.items() if not key.endswith(".count")}
    node = replace(kept, report=None, labels={**without, labels.STRATEGY: strategy})
    assert expected_config(expected, node, "keep") == config


@pytest.mark.parametrize(
    ("product", "count", "config"),
    [
        ("NVIDIA-H100-80GB-HBM3-MIG-1g.10gb", "14", STOCK),
        ("NVIDIA-H100-80GB-HBM3-MIG-1g.10gb", "12", CONFIG),
        ("NVIDIA-H100-80GB-HBM3", "2", STOCK),
    ],
)
def test_under_strategy_single_the_count_of_gpus_is_one_of_slices_if_the_product_is_a_slice(
    kept: Node, product: str, count: str, config: str
) -> None:
    single = Expected.of_gpus(CONFIG, (SEVEN, SEVEN), Strategy.SINGLE)
    found = {**kept.labels, labels.PRODUCT: product, "nvidia.com/gpu.count": count}
    node = replace(kept, report=None, labels=found, allocatable={"nvidia.com/gpu": 14})
    assert expected_config(single, node, "keep") == config


def test_what_is_not_as_declared_is_named_with_both_numbers(expected: Expected, kept: Node) -> None:
    assert undeclared_slices(expected, kept) == []
    lost = with_gpus(kept, SEVEN, {"1g.10gb": 6})
    assert undeclared_slices(expected, lost) == ["GPU 1: expected 7x 1g.10gb, found 6x 1g.10gb"]
    fewer = with_gpus(kept, SEVEN)
    assert undeclared_slices(expected, fewer) == ["expected 2 GPUs, NVML reports 1"]
    offered = replace(kept, report=None, allocatable={"nvidia.com/mig-1g.10gb": 13})
    assert undeclared_slices(expected, offered) == ["nvidia.com/mig-1g.10gb: expected 14, the kubelet offers 13"]
    unset = replace(kept, labels={**kept.labels, labels.STATE: ""})
    assert undeclared_slices(expected, unset) == ["MIG Manager's state is not set"]


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
