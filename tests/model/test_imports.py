"""Imports: what we wrote comes back equal, what others wrote comes over as far as it has a meaning."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.documents import parse
from mig_fleet.model import Cut, Layout, gpus, parted
from mig_fleet.model.imports import Imported, NodeFacts, carried_by, import_nodes, import_parted, stack_file
from mig_fleet.model.imports.pools import stock
from mig_fleet.model.labels import ALL_DISABLED
from mig_fleet.model.placement import feasible

ESTABLISHED = [model for model in gpus.all_models() if feasible(model) and model.pci_device_ids]


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    model = draw(st.sampled_from(ESTABLISHED))
    name = draw(st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,4})?", fullmatch=True))
    cut = st.one_of(st.none(), st.sampled_from([dict(layout) for layout in feasible(model) if layout]))
    per_gpu = draw(st.lists(cut, min_size=1, max_size=8))
    if len(per_gpu) == 1:
        return Layout(name, model.name, (Cut(None, per_gpu[0]),))
    return Layout(name, model.name, tuple(Cut((index,), profiles) for index, profiles in enumerate(per_gpu)))


def distinct(chosen: list[Layout]) -> dict[str, Layout]:
    return {layout.name: layout for layout in chosen if not layout.is_disabled}


def reread(layouts: Iterable[Layout]) -> parted.PartedFile:
    """What our writer wrote, read again."""
    return parted.read(parse("file", parted.dump(layouts).encode()).data)


@given(st.lists(layouts(), max_size=4))
def test_importing_what_was_exported_is_the_identity(chosen: list[Layout]) -> None:
    wanted = distinct(chosen)
    imported = import_parted(reread(wanted.values()))
    assert {layout.name: layout for layout in imported.layouts} == wanted
    unproven = {layout.name for layout in wanted.values() if not all(proof for _, proof in layout.proofs())}
    assert bool(imported.left) is bool(unproven)
    assert all("carried over, but it cannot be proven" in note for note in imported.left)


@given(st.lists(layouts(), max_size=4))
def test_a_stack_file_says_the_layouts_it_was_written_from(chosen: list[Layout]) -> None:
    wanted = distinct(chosen)
    document = parse("stack", stack_file(wanted.values()).encode()).data["config"]["mig-fleet:layouts"] or {}
    assert {name: Layout.parse(name, data) for name, data in document.items()} == wanted


def a_file(*entries: dict[str, object], name: str = "dense") -> parted.PartedFile:
    return parted.read({"version": "v1", "mig-configs": {name: list(entries)}})


def an_entry(**changes: object) -> dict[str, object]:
    entry = {"device-filter": ["0x233010DE", "0x233110DE"], "devices": "all", "mig-enabled": True}
    entry |= {"mig-devices": {"1g.10gb": 7}} | {key.replace("_", "-"): value for key, value in changes.items()}
    return {key: value for key, value in entry.items() if value is not None}


def test_a_config_for_several_models_becomes_a_layout_for_each() -> None:
    balanced = [
        an_entry(mig_devices={"1g.10gb": 2, "2g.20gb": 1, "3g.40gb": 1}),
        an_entry(device_filter="0x20B710DE", mig_devices={"1g.6gb": 2, "2g.12gb": 1}),
    ]
    imported = import_parted(a_file(*balanced, name="all-balanced"))
    assert {layout.name: layout.cuts[0].profiles for layout in imported.layouts} == {
        "all-balanced-h100-80gb": {"1g.10gb": 2, "2g.20gb": 1, "3g.40gb": 1},
        "all-balanced-a30-24gb": {"1g.6gb": 2, "2g.12gb": 1},
    }


def test_an_entry_without_a_filter_needs_to_be_told_its_model() -> None:
    file = a_file(an_entry(device_filter=None))
    assert import_parted(file).layouts == ()
    assert "say which with --gpu" in import_parted(file).left[0]
    (layout,) = import_parted(file, gpus.find("A100-80GB")).layouts
    assert layout == Layout.uniform("dense", "A100-80GB", {"1g.10gb": 7})


def test_an_entry_without_a_filter_is_meant_for_the_gpus_of_the_nodes_that_carry_it() -> None:
    file = a_file(an_entry(device_filter=None))
    nodes = [NodeFacts("a", "dense", "NVIDIA-A100-SXM4-80GB", 4), NodeFacts("h", "dense", "H100-80GB", 8)]
    imported = import_parted(file, carried=carried_by([*nodes, NodeFacts("x", None), NodeFacts("y", "dense", "H300")]))
    assert {layout.name: layout.gpu for layout in imported.layouts} == {
        "dense-a100-80gb": "A100-80GB",
        "dense-h100-80gb": "H100-80GB",
    }
    pools, _ = import_nodes(nodes, imported)
    assert {pool.nodes: pool.layout for pool in pools} == {("a",): "dense-a100-80gb", ("h",): "dense-h100-80gb"}


def test_a_given_model_is_for_entries_without_a_filter_and_takes_no_other_entry_away() -> None:
    small = an_entry(device_filter="0x20B510DE", mig_devices={"1g.10gb": 4})
    file = a_file(an_entry(), small, an_entry(device_filter=None, devices=[0], mig_enabled=False, mig_devices=None))
    imported = import_parted(file, gpus.find("H200"), 2)
    assert {layout.gpu for layout in imported.layouts} == {"H100-80GB", "A100-80GB", "H200-141GB"}
    told = import_parted(file, gpus.find("H200"), 2, {"dense": [gpus.find("A100-80GB")]})
    assert {layout.gpu for layout in told.layouts} == {"H100-80GB", "A100-80GB"}, "the nodes say it better"


APART = (an_entry(device_filter=None), an_entry(device_filter=None, devices=[0], mig_enabled=False, mig_devices=None))


@pytest.mark.parametrize(
    ("name", "entries"),
    [
        ("all-1g.10gb", APART),
        ("all-balanced", [an_entry(device_filter="0x20B510DE")]),
        ("all-1g.10gb", [an_entry(mig_devices={"1g.5gb": 7})]),
        (ALL_DISABLED, [an_entry()]),
        (ALL_DISABLED, [an_entry(devices=[0], mig_enabled=False, mig_devices=None)]),
    ],
    ids=["GPUs apart", "another model's filter", "no such profile", "no disabling", "not every GPU"],
)
def test_a_config_of_a_given_file_never_gets_nvidias_meaning_of_its_name(name: str, entries: list[object]) -> None:
    node = NodeFacts("n1", name, "H100-80GB", gpu_count=8)
    known = import_parted(a_file(*entries, name=name), carried=carried_by([node]))  # type: ignore[arg-type]
    pools, imported = import_nodes([node], known)
    assert pools == ()
    assert [layout for layout in imported.layouts if layout.gpu == "H100-80GB"] == []
    said = f"node n1: a given file defines config '{name}', but no layout for H100-80GB came of it"
    assert imported.left[-1] == said


def test_each_model_gets_its_own_entry_also_when_a_model_is_given() -> None:
    entries = [an_entry(), an_entry(device_filter=["0x20B210DE", "0x20B510DE"], mig_devices={"1g.10gb": 6})]
    nodes = [NodeFacts("a", "all-balanced", "A100-80GB", 8), NodeFacts("h", "all-balanced", None, 8)]
    h100 = gpus.find("H100-80GB")
    known = import_parted(a_file(*entries, name="all-balanced"), h100, carried=carried_by(nodes, h100))
    pools, imported = import_nodes(nodes, known, h100)
    meant = {layout.name: layout.cuts[0].profiles for layout in imported.layouts}
    assert {pool.nodes: meant[pool.layout] for pool in pools} == {("a",): {"1g.10gb": 6}, ("h",): {"1g.10gb": 7}}


def test_a_model_that_nobody_knows_is_told_when_the_given_one_stands_in_for_it() -> None:
    nodes = [NodeFacts("a", "all-1g.10gb", "H300", 8), NodeFacts("b", "all-1g.10gb", "H100", 8)]
    (pool,), imported = import_nodes(nodes, Imported(), gpus.find("H100-80GB"))
    assert pool.nodes == ("a", "b")
    (note,) = imported.left
    assert note.startswith("node a: unknown GPU model 'H300'")
    assert note.endswith("it was taken for H100-80GB, as --gpu says")


def test_the_last_entry_wins_gpu_by_gpu() -> None:
    file = a_file(an_entry(), an_entry(devices=[1], mig_enabled=False, mig_devices=None))
    assert "--gpus-per-node" in import_parted(file).left[0]
    (layout,) = import_parted(file, gpus_per_node=3).layouts
    assert layout.per_gpu(3) == ({"1g.10gb": 7}, None, {"1g.10gb": 7})


@pytest.mark.parametrize(
    ("entry", "says", "survives"),
    [
        (an_entry(device_filter="0x2330"), "selects no GPU of the catalog", False),
        (an_entry(device_filter="0x233010DE"), "its filter leaves out 0x233110DE", True),
        (an_entry(mig_devices={"1c.1g.10gb": 7}), "1c.1g.10gb is written 1g.10gb now", True),
        (an_entry(mig_devices={"1g.10gb": 7, "3g.40gb": 0}), "0 × 3g.40gb says nothing", True),
        (an_entry(mig_devices={}), "MIG on without any instance", False),
        (an_entry(devices=[]), "dense: its lists of devices name no GPU", False),
        (an_entry(mig_devices={"1g.5gb": 7}), "unknown MIG profile '1g.5gb'", False),
        (
            an_entry(device_filter="0x233010DE:0x16C110DE"),
            "dense: the device filter '0x233010DE:0x16C110DE' wants a certain board, and which one a node has cannot",
            False,
        ),
        (an_entry(mig_devices={"4g.40gb": 2}), "cannot be on H100-80GB", False),
        (an_entry(device_filter="0x31C210DE", mig_devices={"1g.35gb": 3}), "cannot be proven", True),
    ],
)
def test_what_is_lost_or_changed_is_told(entry: dict[str, object], says: str, survives: bool) -> None:
    imported = import_parted(a_file(entry))
    assert any(says in note for note in imported.left), imported.left
    assert bool(imported.layouts) is survives


def test_a_board_matters_only_where_no_later_entry_is_for_every_board() -> None:
    board = an_entry(device_filter="0x233010DE:0x16C110DE", mig_devices={"3g.40gb": 2})
    assert import_parted(a_file(an_entry(), board)).layouts == (), "on some boards it would be another layout"
    (layout,) = import_parted(a_file(board, an_entry())).layouts
    assert layout.cuts[0].profiles == {"1g.10gb": 7}
    some = an_entry(devices=[0])
    assert import_parted(a_file(board, some)).layouts == (), "the board still decides about the other GPUs"


def test_a_name_that_no_layout_may_have_is_changed_and_told() -> None:
    imported = import_parted(a_file(an_entry(), name="My_Config"))
    assert [layout.name for layout in imported.layouts] == ["my-config"]
    assert imported.left == ("My_Config: is called my-config now",)


def test_a_date_behind_a_name_is_not_taken_for_our_hash() -> None:
    imported = import_parted(a_file(an_entry(), name="Team_A-20250101"))
    assert [layout.name for layout in imported.layouts] == ["team-a-20250101"]
    assert imported.left == ("Team_A-20250101: is called team-a-20250101 now",)


@pytest.mark.parametrize(
    ("config", "profiles"),
    [
        ("all-1g.10gb", {"1g.10gb": 7}),
        ("all-1g.10gb.me", {"1g.10gb+me": 1}),
        ("all-balanced", {"1g.10gb": 2, "2g.20gb": 1, "3g.40gb": 1}),
    ],
)
def test_nvidias_own_config_names_are_understood(config: str, profiles: dict[str, int]) -> None:
    layout = stock(config, gpus.find("H100-80GB"))
    assert layout is not None
    assert layout.cuts[0].profiles == profiles


def test_a_config_of_a_name_that_only_some_boards_report_is_carried_over_with_the_doubt_told_once() -> None:
    nodes = [NodeFacts(name, "all-3g.95gb", "GB200", 4) for name in ("a", "b")]
    (pool,), imported = import_nodes(nodes, Imported())
    assert pool.nodes == ("a", "b")
    assert [layout.cuts[0].profiles for layout in imported.layouts] == [{"3g.95gb": 2}]
    (note,) = imported.left
    assert note.startswith("all-3g.95gb: carried over, but it cannot be proven: names differ between boards of GB200")


@pytest.mark.parametrize("config", ["all-1g.5gb", "1g.10gb", "dense", ""])
def test_other_names_are_not_guessed(config: str) -> None:
    assert stock(config, gpus.find("H100-80GB")) is None


@pytest.mark.parametrize("gpu_count", [0, 1, 4])
def test_a_layout_that_names_its_gpus_says_the_size_of_a_node(gpu_count: int) -> None:
    cuts = (Cut((0, 1), {"3g.40gb": 2}), Cut((2,), {"1g.10gb": 7}), Cut((3,), None))
    layout = Layout("some", "A100-80GB", cuts)
    node = NodeFacts("n", layout.config_name, "A100-80GB", slices={"1g.10gb": 7, "3g.40gb": 4}, gpu_count=gpu_count)
    (pool,), _ = import_nodes([node], import_parted(reread([layout])))
    assert pool.gpus_per_node == 4, "whatever this version of GFD counts"


@pytest.mark.parametrize(
    ("cut", "given", "why"),
    [(Cut((0, 1), {"3g.40gb": 2}), None, "layout some names no more"), (Cut(None, None), 2, "--gpus-per-node says so")],
)
def test_a_node_that_has_more_gpus_than_were_taken_is_told(cut: Cut, given: int | None, why: str) -> None:
    layout = Layout("some", "A100-80GB", (cut,))
    node = NodeFacts("n", "some", "A100-80GB", gpu_count=8)
    (pool,), imported = import_nodes([node], Imported(configs={("some", "A100-80GB"): layout}), gpus_per_node=given)
    assert pool.gpus_per_node == 2
    assert imported.left == (f"node n: its label nvidia.com/gpu.count says 8 GPUs; 2 was taken, because {why}",)


def test_a_number_of_gpus_that_is_no_number_is_told_as_it_was_found() -> None:
    node = NodeFacts("n", "all-1g.10gb", "H100-80GB", unread_size="gpus is '8'")
    pools, imported = import_nodes([node], Imported())
    told = "node n: gpus is '8', which must be a whole number; "
    assert (pools, imported.left) == ((), (f"{told}write it as in gpus: 8, or give --gpus-per-node",))
    (pool,), imported = import_nodes([node], Imported(), gpus_per_node=4)
    assert (pool.gpus_per_node, imported.left) == (4, (f"{told}4 was taken",))


def test_a_node_that_lost_a_slice_is_still_as_large_as_its_labels_say() -> None:
    node = NodeFacts("n", "all-1g.10gb", "H100-80GB", slices={"1g.10gb": 55}, gpu_count=8)
    (pool,), _ = import_nodes([node], Imported())
    assert pool.gpus_per_node == 8


def test_the_size_of_a_node_follows_from_the_slices_it_counts() -> None:
    cut = {"1g.10gb+me": 1, "1g.10gb": 6}
    layout = Layout.uniform("dense", "H100-80GB", cut)
    known = import_parted(reread([layout]))
    node = NodeFacts("n", layout.config_name, "H100-80GB", slices={"1g.10gb.me": 8, "1g.10gb": 48})
    (pool,), _ = import_nodes([node], known)
    assert pool.gpus_per_node == 8


def test_a_node_that_stands_there_twice_is_in_one_pool() -> None:
    nodes = [NodeFacts("n", config, "H100-80GB", 8) for config in ("all-1g.10gb", "all-disabled")]
    (pool,), imported = import_nodes(nodes, Imported())
    assert (pool.layout, imported.left) == ("all-1g.10gb", ("node n: stands there twice; the first was taken",))


def test_nodes_that_are_alike_become_one_pool_and_models_are_kept_apart() -> None:
    nodes = [
        NodeFacts("b", "all-1g.10gb", "NVIDIA-H100-80GB-HBM3", slices={"1g.10gb": 56}),
        NodeFacts("a", "all-1g.10gb", "NVIDIA H100 80GB HBM3", 8),
        NodeFacts("c", "all-1g.10gb", "NVIDIA-A100-SXM4-80GB", slices={"1g.10gb": 28}),
        NodeFacts("d", ALL_DISABLED, "0x233010DE", gpu_count=8),
    ]
    pools, imported = import_nodes(nodes, Imported())
    assert [(pool.name, pool.gpu, pool.gpus_per_node, pool.layout, pool.nodes) for pool in pools] == [
        ("all-1g.10gb", "H100-80GB", 8, "all-1g.10gb", ("a", "b")),
        ("all-1g.10gb-a100-80gb", "A100-80GB", 4, "all-1g.10gb-a100-80gb", ("c",)),
        (ALL_DISABLED, "H100-80GB", 8, ALL_DISABLED, ("d",)),
    ]
    assert imported.left == ()
    assert {layout.name for layout in imported.layouts} == {pool.layout for pool in pools}


@pytest.mark.parametrize(
    ("node", "says"),
    [
        (NodeFacts("n", None, "H100-80GB", 8), "carries no config"),
        (NodeFacts("n", "all-1g.10gb", None, 8), "nothing says which GPUs it has; give --gpu"),
        (NodeFacts("n", "all-1g.10gb", "H300", 8), "unknown GPU model 'H300'"),
        (NodeFacts("n", "all-1g.10gb", "H100-80GB"), "give --gpus-per-node"),
        (NodeFacts("n", "ours", "H100-80GB", 8), "nothing says what config 'ours' means"),
        (NodeFacts("n", "all-1g.10gb", "H100-80GB", 99), "node n: has 99 GPUs, which must be 1 to 64"),
        (NodeFacts("n", "all-1g.10gb", "H100-80GB", 0, gpu_count=8), "node n: has 0 GPUs, which must be 1 to 64"),
        (NodeFacts("a\nb: c", "all-1g.10gb", "H100-80GB", 8), r"node 'a\nb: c': no node can have this name"),
        (NodeFacts("n", "all-1g.0gb", "Thor", 1), "node n: Thor iGPU (Jetson T5000) has no PCI device id"),
    ],
)
def test_a_node_that_says_too_little_is_told(node: NodeFacts, says: str) -> None:
    pools, imported = import_nodes([node], Imported())
    assert pools == ()
    assert says in imported.left[0]
