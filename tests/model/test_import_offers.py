"""A node is imported only if what it offers is what its config says; what cannot be compared is unknown, not wrong."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.model import GpuGroup, Layout, Strategy, gfd
from mig_fleet.model.imports import Imported, ImportedPool, NodeFacts, Offers, import_nodes, read_offers
from mig_fleet.model.imports.offers import contradictions
from mig_fleet.model.strategy import allocatable

DENSE = Layout.uniform("dense", "H100-80GB", {"1g.10gb": 7})
SIZE = 8


def labels_of(layout: Layout, strategy: Strategy = Strategy.MIXED, product: str = "") -> dict[str, str]:
    return {**gfd.expected_labels(layout.per_gpu(SIZE), strategy), "nvidia.com/gpu.product": product}


def offers_of(layout: Layout, **changes: Any) -> Offers:
    """What a node with this layout offers, in all four sources."""
    facts: dict[str, Any] = {
        "node_labels": labels_of(layout),
        "allocatable": allocatable(Strategy.MIXED, layout.per_gpu(SIZE)),
        "gpus": layout.per_gpu(SIZE),
        "state": "success",
    }
    return read_offers(**{**facts, **changes})


@given(st.lists(st.sampled_from([None, {"1g.10gb": 7}, {"3g.40gb": 2}, {"1g.10gb+me": 1}]), min_size=8, max_size=8))
def test_a_node_with_its_layout_contradicts_nothing_and_every_other_layout(
    per_gpu: list[dict[str, int] | None],
) -> None:
    groups = tuple(GpuGroup((index,), profiles) for index, profiles in enumerate(per_gpu))
    layout = Layout("some", "H100-80GB", groups)
    assert contradictions(layout, SIZE, offers_of(layout)) == []
    other = Layout.uniform("other", "H100-80GB", {"2g.20gb": 3})
    assert len(contradictions(other, SIZE, offers_of(layout))) == 3, "kubelet, GFD and NVML"


def imported(node: NodeFacts) -> tuple[tuple[ImportedPool, ...], str]:
    pools, found = import_nodes([node], Imported())
    return pools, " ".join(map(str, found.notes))


def a_node(config: str, offers: Offers | None, **changes: Any) -> NodeFacts:
    return NodeFacts("n1", config, "H100-80GB", gpu_count=SIZE, offers=offers, **changes)


def test_a_node_that_offers_something_else_is_named_with_both_and_not_imported() -> None:
    wide = Layout.uniform("wide", "H100-80GB", {"3g.40gb": 2})
    pools, note = imported(a_node("all-1g.10gb", offers_of(wide, gpus=None)))
    assert pools == ()
    assert note == (
        "node n1: config 'all-1g.10gb' is mig-1g.10gb: 56, but the kubelet offers mig-3g.40gb: 16 and "
        "GPU Feature Discovery counts mig-3g.40gb: 16; let MIG Manager apply the config, or label the node with what "
        "it has, and import again"
    )


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ("failed", "MIG Manager could not apply it (state 'failed')"),
        ("pending", "MIG Manager is still applying it (state 'pending')"),
        ("rebooting", "the node reboots for it"),
        ("x\n", "its state is 'x\\n'"),
    ],
)
def test_a_state_other_than_success_is_named_even_if_the_slices_are_right(state: str, text: str) -> None:
    pools, note = imported(a_node("all-1g.10gb", offers_of(DENSE, state=state)))
    assert pools == ()
    assert text in note


def test_a_node_without_a_state_counts_by_what_it_offers() -> None:
    pools, note = imported(a_node("all-1g.10gb", offers_of(DENSE, state=None)))
    assert ([pool.nodes for pool in pools], note) == ([("n1",)], "")


def test_one_lost_slice_is_named() -> None:
    pools, note = imported(a_node("all-1g.10gb", offers_of(DENSE, allocatable={"nvidia.com/mig-1g.10gb": 55})))
    assert pools == ()
    assert "is mig-1g.10gb: 56, but the kubelet offers mig-1g.10gb: 55;" in note


def test_nvml_shows_what_totals_hide() -> None:
    """Seven slices on one GPU and none on the other are as many as on two GPUs with other counts."""
    layout = Layout("some", "H100-80GB", (GpuGroup((0,), {"1g.10gb": 4}), GpuGroup((1,), {"1g.10gb": 3})))
    (line,) = contradictions(layout, 2, Offers("success", gpus=({"1g.10gb": 3}, {"1g.10gb": 4})))
    assert line == "NVML shows GPU 0: 3x 1g.10gb; GPU 1: 4x 1g.10gb"


def test_another_profile_is_visible_without_a_number_of_gpus() -> None:
    wide = Layout.uniform("wide", "H100-80GB", {"3g.40gb": 2})
    pools, found = import_nodes([NodeFacts("n1", "all-1g.10gb", "H100-80GB", offers=offers_of(wide))], Imported())
    assert pools == ()
    assert "config 'all-1g.10gb' is mig-1g.10gb, but the kubelet offers mig-3g.40gb: 16" in str(found.notes[0])


@pytest.mark.parametrize(
    ("node_labels", "offered"),
    [
        (labels_of(DENSE), {"nvidia.com/mig-1g.10gb.shared": 112, "nvidia.com/mig-1g.10gb": 0}),
        (labels_of(DENSE) | {"nvidia.com/gpu.replicas": "2"}, {"nvidia.com/mig-1g.10gb": 112}),
        (labels_of(DENSE, product="NVIDIA-H100-80GB-HBM3-SHARED"), {"nvidia.com/mig-1g.10gb": 112}),
        (
            labels_of(DENSE) | {"nvidia.com/mig-1g.10gb.sharing-strategy": "time-slicing"},
            {"nvidia.com/mig-1g.10gb": 112},
        ),
        (labels_of(DENSE), {"nvidia.com/small": 56}),
        (labels_of(DENSE), {"nvidia.com/mig-small": 56}),
        (labels_of(DENSE), {}),
        (labels_of(DENSE, Strategy.NONE), {"nvidia.com/gpu": 8}),
        (labels_of(DENSE, Strategy.SINGLE, product="NVIDIA-H100-80GB-HBM3-MIG-INVALID"), {"nvidia.com/gpu": 3}),
    ],
    ids=[
        "shared",
        "replicas",
        "product",
        "time slices",
        "renamed",
        "renamed slices",
        "no plugin",
        "none",
        "single, invalid",
    ],
)
def test_shared_and_renamed_resources_are_unknown(node_labels: dict[str, str], offered: dict[str, int]) -> None:
    offers = read_offers(node_labels, offered)
    assert offers.allocatable is None
    assert contradictions(DENSE, SIZE, offers) == []


def test_slices_under_strategy_single_are_compared_by_their_product() -> None:
    product = "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb"
    offers = read_offers(labels_of(DENSE, Strategy.SINGLE, product=product), {"nvidia.com/gpu": 56})
    assert contradictions(DENSE, SIZE, offers) == []
    wide = Layout.uniform("wide", "H100-80GB", {"3g.40gb": 2})
    assert contradictions(wide, SIZE, offers) == ["the kubelet offers mig-1g.10gb: 56"]


def test_a_node_that_nothing_confirms_is_imported_with_one_note_for_all() -> None:
    nodes = [NodeFacts(f"n{number}", "all-1g.10gb", "H100-80GB", 8, offers=Offers()) for number in range(5)]
    (pool,), found = import_nodes(nodes, Imported())
    assert len(pool.nodes) == 5
    (note,) = map(str, found.notes)
    assert note.startswith("nodes n0, n1, n2 and 2 more: imported by the config label alone")


def test_a_board_that_reports_another_name_for_a_slice_is_not_wrong() -> None:
    layout = Layout.uniform("wide", "GB200-186GB", {"3g.93gb": 2})
    node_labels = {"nvidia.com/mig.strategy": "mixed", "nvidia.com/mig-3g.95gb.count": "8"}
    offers = read_offers(node_labels, {"nvidia.com/mig-3g.95gb": 8}, [{"3g.95gb": 2}] * 4)
    assert contradictions(layout, 4, offers) == []


@pytest.mark.parametrize(
    ("config", "keep"), [("all-1g.10gb", True), ("all-disabled", True), (DENSE.config_name, False), ("ours", True)]
)
def test_a_config_name_that_is_not_ours_is_kept(config: str, keep: bool) -> None:
    layout = Layout.disabled(config, "H100-80GB") if config == "all-disabled" else DENSE
    (pool,), _ = import_nodes(
        [a_node(config, offers_of(layout))],
        Imported(configs={(config, layout.gpu): layout}, defined=frozenset({config})),
    )
    assert pool.keep is keep
