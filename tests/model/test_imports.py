"""Imports: our own files come back equal, other files are imported as far as a layout can express them."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.documents import parse
from mig_fleet.model import GpuGroup, Layout, gpus, parted
from mig_fleet.model.imports import (
    Imported,
    NodeFacts,
    Offers,
    Outcome,
    import_nodes,
    import_parted,
    models_by_config,
    stack_file,
)
from mig_fleet.model.labels import ALL_DISABLED
from mig_fleet.model.placement import feasible
from mig_fleet.model.stock_configs import stock

ESTABLISHED = [model for model in gpus.all_models() if feasible(model) and model.pci_device_ids]


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    model = draw(st.sampled_from(ESTABLISHED))
    name = draw(st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,4})?", fullmatch=True))
    profiles = st.one_of(st.none(), st.sampled_from([dict(layout) for layout in feasible(model) if layout]))
    per_gpu = draw(st.lists(profiles, min_size=1, max_size=8))
    if len(per_gpu) == 1:
        return Layout(name, model.name, (GpuGroup(None, per_gpu[0]),))
    return Layout(name, model.name, tuple(GpuGroup((index,), profiles) for index, profiles in enumerate(per_gpu)))


def texts(imported: Imported) -> tuple[str, ...]:
    return tuple(map(str, imported.notes))


def distinct(chosen: list[Layout]) -> dict[str, Layout]:
    return {layout.name: layout for layout in chosen if not layout.is_disabled}


def reread(layouts: Iterable[Layout]) -> parted.PartedFile:
    """What our writer wrote, read again."""
    return parted.read(parse("file", parted.dump(layouts).encode()).data)


@given(st.lists(layouts(), max_size=4))
def test_importing_what_was_exported_is_the_identity(chosen: list[Layout]) -> None:
    expected = distinct(chosen)
    imported = import_parted(reread(expected.values()))
    proven = {name: layout for name, layout in expected.items() if all(proof for _, proof in layout.proofs())}
    assert {layout.name: layout for layout in imported.layouts} == proven
    assert bool(texts(imported)) is (proven != expected)
    assert all("a stack refuses a layout that is unproven" in note for note in texts(imported))


@given(st.lists(layouts(), max_size=4))
def test_a_stack_file_has_the_layouts_that_it_was_written_from(chosen: list[Layout]) -> None:
    expected = distinct(chosen)
    document = parse("stack", stack_file(expected.values()).encode()).data["config"]["mig-fleet:layouts"] or {}
    assert {name: Layout.parse(name, data) for name, data in document.items()} == expected


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
    assert {layout.name: layout.groups[0].profiles for layout in imported.layouts} == {
        "all-balanced-h100-80gb": {"1g.10gb": 2, "2g.20gb": 1, "3g.40gb": 1},
        "all-balanced-a30-24gb": {"1g.6gb": 2, "2g.12gb": 1},
    }
    assert texts(imported) == ("all-balanced: one layout for each GPU model, with the model at the end of its name",), (
        "one note for both"
    )


def test_an_entry_without_a_filter_needs_a_gpu_model() -> None:
    file = a_file(an_entry(device_filter=None))
    assert import_parted(file).layouts == ()
    assert "name it with --gpu" in texts(import_parted(file))[0]
    (layout,) = import_parted(file, gpus.find("A100-80GB")).layouts
    assert layout == Layout.uniform("dense", "A100-80GB", {"1g.10gb": 7})


def test_an_entry_without_a_filter_is_for_the_gpus_of_the_nodes_with_its_config() -> None:
    file = a_file(an_entry(device_filter=None))
    nodes = [NodeFacts("a", "dense", "NVIDIA-A100-SXM4-80GB", 4), NodeFacts("h", "dense", "H100-80GB", 8)]
    imported = import_parted(
        file, models=models_by_config([*nodes, NodeFacts("x", None), NodeFacts("y", "dense", "H300")])
    )
    assert {layout.name: layout.gpu for layout in imported.layouts} == {
        "dense-a100-80gb": "A100-80GB",
        "dense-h100-80gb": "H100-80GB",
    }
    pools, _ = import_nodes(nodes, imported)
    assert {pool.nodes: pool.layout for pool in pools} == {("a",): "dense-a100-80gb", ("h",): "dense-h100-80gb"}


def test_a_given_model_applies_only_to_entries_without_a_filter() -> None:
    small = an_entry(device_filter="0x20B510DE", mig_devices={"1g.10gb": 4})
    file = a_file(an_entry(), small, an_entry(device_filter=None, devices=[0], mig_enabled=False, mig_devices=None))
    imported = import_parted(file, gpus.find("H200"), 2)
    assert {layout.gpu for layout in imported.layouts} == {"H100-80GB", "A100-80GB", "H200-141GB"}
    imported = import_parted(file, gpus.find("H200"), 2, {"dense": [gpus.find("A100-80GB")]})
    assert {layout.gpu for layout in imported.layouts} == {"H100-80GB", "A100-80GB"}, "the nodes take precedence"


DIFFERENT_GPUS = (
    an_entry(device_filter=None),
    an_entry(device_filter=None, devices=[0], mig_enabled=False, mig_devices=None),
)


@pytest.mark.parametrize(
    ("name", "entries"),
    [
        ("all-1g.10gb", DIFFERENT_GPUS),
        ("all-balanced", [an_entry(device_filter="0x20B510DE")]),
        ("all-1g.10gb", [an_entry(mig_devices={"1g.5gb": 7})]),
        (ALL_DISABLED, [an_entry()]),
        (ALL_DISABLED, [an_entry(devices=[0], mig_enabled=False, mig_devices=None)]),
    ],
    ids=["different GPUs", "another model's filter", "no such profile", "no disabling", "not every GPU"],
)
def test_a_config_of_a_given_file_never_gets_nvidias_meaning_of_its_name(name: str, entries: list[object]) -> None:
    node = NodeFacts("n1", name, "H100-80GB", gpu_count=8)
    known = import_parted(a_file(*entries, name=name), models=models_by_config([node]))  # type: ignore[arg-type]
    pools, imported = import_nodes([node], known)
    assert pools == ()
    assert [layout for layout in imported.layouts if layout.gpu == "H100-80GB"] == []
    note = f"node n1: config '{name}' of a file could not be imported for H100-80GB"
    assert texts(imported)[-1] == note


def test_each_model_gets_its_own_entry_also_when_a_model_is_given() -> None:
    entries = [an_entry(), an_entry(device_filter=["0x20B210DE", "0x20B510DE"], mig_devices={"1g.10gb": 6})]
    nodes = [NodeFacts("a", "all-balanced", "A100-80GB", 8), NodeFacts("h", "all-balanced", None, 8)]
    h100 = gpus.find("H100-80GB")
    known = import_parted(a_file(*entries, name="all-balanced"), h100, models=models_by_config(nodes, h100))
    pools, imported = import_nodes(nodes, known, h100)
    profiles = {layout.name: layout.groups[0].profiles for layout in imported.layouts}
    assert {pool.nodes: profiles[pool.layout] for pool in pools} == {("a",): {"1g.10gb": 6}, ("h",): {"1g.10gb": 7}}


def test_an_unknown_model_is_reported_if_the_given_model_replaces_it() -> None:
    nodes = [NodeFacts("a", "all-1g.10gb", "H300", 8), NodeFacts("b", "all-1g.10gb", "H100", 8)]
    (pool,), imported = import_nodes(nodes, Imported(), gpus.find("H100-80GB"))
    assert pool.nodes == ("a", "b")
    (note,) = texts(imported)
    assert note.startswith("node a: unknown GPU model 'H300'")
    assert note.endswith("imported as H100-80GB because of --gpu")


def test_the_last_entry_wins_gpu_by_gpu() -> None:
    file = a_file(an_entry(), an_entry(devices=[1], mig_enabled=False, mig_devices=None))
    assert "--gpus-per-node" in texts(import_parted(file))[0]
    (layout,) = import_parted(file, gpus_per_node=3).layouts
    assert layout.per_gpu(3) == ({"1g.10gb": 7}, None, {"1g.10gb": 7})


@pytest.mark.parametrize(
    ("entry", "text", "is_imported"),
    [
        (an_entry(device_filter="0x2330"), "selects no GPU of the catalog", False),
        (an_entry(device_filter="0x233010DE"), "but the device filter does not select 0x233110DE", True),
        (an_entry(mig_devices={"1c.1g.10gb": 7}), "1c.1g.10gb was replaced by 1g.10gb", True),
        (an_entry(mig_devices={"1g.10gb": 7, "3g.40gb": 0}), "0 × 3g.40gb has no effect", True),
        (an_entry(mig_devices={}), "enables MIG without any instance", False),
        (an_entry(devices=[]), "dense: its lists of devices name no GPU", False),
        (an_entry(mig_devices={"1g.5gb": 7}), "unknown MIG profile '1g.5gb'", False),
        (
            an_entry(device_filter="0x233010DE:0x16C110DE"),
            "dense: the device filter '0x233010DE:0x16C110DE' selects by subsystem ID, which node labels do not",
            False,
        ),
        (an_entry(mig_devices={"4g.40gb": 2}), "impossible on H100-80GB", False),
        (an_entry(device_filter="0x31C210DE", mig_devices={"1g.35gb": 3}), "a layout that is unproven on GB300", False),
    ],
)
def test_everything_that_is_missing_or_changed_is_reported(
    entry: dict[str, object], text: str, is_imported: bool
) -> None:
    imported = import_parted(a_file(entry))
    assert any(text in note for note in texts(imported)), texts(imported)
    assert bool(imported.layouts) is is_imported


def test_a_board_matters_only_if_no_later_entry_is_for_every_board() -> None:
    board = an_entry(device_filter="0x233010DE:0x16C110DE", mig_devices={"3g.40gb": 2})
    assert import_parted(a_file(an_entry(), board)).layouts == (), "on some boards it would be another layout"
    (layout,) = import_parted(a_file(board, an_entry())).layouts
    assert layout.groups[0].profiles == {"1g.10gb": 7}
    some = an_entry(devices=[0])
    assert import_parted(a_file(board, some)).layouts == (), "the board still decides about the other GPUs"


def test_an_invalid_layout_name_is_replaced_and_reported() -> None:
    imported = import_parted(a_file(an_entry(), name="My_Config"))
    assert [layout.name for layout in imported.layouts] == ["my-config"]
    assert texts(imported) == ("My_Config: renamed to my-config",)


def test_a_date_after_a_name_is_not_mistaken_for_our_hash() -> None:
    imported = import_parted(a_file(an_entry(), name="Team_A-20250101"))
    assert [layout.name for layout in imported.layouts] == ["team-a-20250101"]
    assert texts(imported) == ("Team_A-20250101: renamed to team-a-20250101",)


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
    assert layout.groups[0].profiles == profiles


@pytest.mark.parametrize("config", ["all-3g.95gb", "all-balanced"])
def test_nodes_whose_config_a_stack_would_refuse_are_not_imported_and_have_one_note(config: str) -> None:
    nodes = [NodeFacts(name, config, "GB200", 4) for name in ("a", "b")]
    pools, imported = import_nodes(nodes, Imported())
    assert (pools, imported.layouts) == ((), ())
    (note,) = texts(imported)
    assert note.startswith(f"nodes a, b: config '{config}': a stack refuses a layout that is unproven on GB200")
    assert note.endswith(
        "give its nodes a proven config (`mig-fleet gpus GB200-186GB` lists the profiles), or leave them out"
    )


@pytest.mark.parametrize("count", [65, 10**7])
def test_an_absurd_number_of_gpus_is_refused_before_anything_is_made_of_it(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def computed(*_: object) -> object:
        raise AssertionError("the GPUs of the node were listed")

    monkeypatch.setattr(Layout, "per_gpu", computed)
    node = NodeFacts("a", "all-1g.10gb", "H100-80GB", gpu_count=count, offers=Offers("success", {}))
    pools, imported = import_nodes([node], Imported())
    assert pools == ()
    assert texts(imported) == (
        f"node a: has {count} GPUs by its label nvidia.com/gpu.count; must be 1 to 64; correct that, or use "
        "--gpus-per-node",
    )


@pytest.mark.parametrize("config", ["all-1g.5gb", "1g.10gb", "dense", ""])
def test_other_names_are_not_guessed(config: str) -> None:
    assert stock(config, gpus.find("H100-80GB")) is None


@pytest.mark.parametrize("gpu_count", [0, 1, 4])
def test_a_layout_that_lists_its_gpus_gives_the_size_of_a_node(gpu_count: int) -> None:
    groups = (GpuGroup((0, 1), {"3g.40gb": 2}), GpuGroup((2,), {"1g.10gb": 7}), GpuGroup((3,), None))
    layout = Layout("some", "A100-80GB", groups)
    node = NodeFacts("n", layout.config_name, "A100-80GB", slices={"1g.10gb": 7, "3g.40gb": 4}, gpu_count=gpu_count)
    (pool,), _ = import_nodes([node], import_parted(reread([layout])))
    assert pool.gpus_per_node == 4, "whatever this version of GFD counts"


@pytest.mark.parametrize(
    ("group", "given", "why"),
    [
        (GpuGroup((0, 1), {"3g.40gb": 2}), None, "because layout some covers only those"),
        (GpuGroup(None, None), 2, "because of --gpus-per-node"),
    ],
)
def test_a_node_with_more_gpus_than_imported_is_reported(group: GpuGroup, given: int | None, why: str) -> None:
    layout = Layout("some", "A100-80GB", (group,))
    node = NodeFacts("n", "some", "A100-80GB", gpu_count=8)
    (pool,), imported = import_nodes([node], Imported(configs={("some", "A100-80GB"): layout}), gpus_per_node=given)
    assert pool.gpus_per_node == 2
    assert texts(imported) == (f"node n: imported with 2 GPUs, {why}, but its label nvidia.com/gpu.count is 8",)


def test_an_invalid_number_of_gpus_is_reported_with_the_value() -> None:
    node = NodeFacts("n", "all-1g.10gb", "H100-80GB", invalid_size="gpus is '8'")
    pools, imported = import_nodes([node], Imported())
    note = "node n: gpus is '8', which must be a whole number; "
    assert (pools, texts(imported)) == ((), (f"{note}write for example gpus: 8, or use --gpus-per-node",))
    (pool,), imported = import_nodes([node], Imported(), gpus_per_node=4)
    assert (pool.gpus_per_node, texts(imported)) == (4, (f"{note}imported with 4 GPUs",))


def test_a_lost_slice_does_not_change_the_number_of_gpus_of_a_node() -> None:
    node = NodeFacts("n", "all-1g.10gb", "H100-80GB", slices={"1g.10gb": 55}, gpu_count=8)
    (pool,), _ = import_nodes([node], Imported())
    assert pool.gpus_per_node == 8


def test_the_size_of_a_node_follows_from_its_number_of_slices() -> None:
    profiles = {"1g.10gb+me": 1, "1g.10gb": 6}
    layout = Layout.uniform("dense", "H100-80GB", profiles)
    known = import_parted(reread([layout]))
    node = NodeFacts("n", layout.config_name, "H100-80GB", slices={"1g.10gb.me": 8, "1g.10gb": 48})
    (pool,), _ = import_nodes([node], known)
    assert pool.gpus_per_node == 8


def test_a_duplicate_node_is_in_one_pool() -> None:
    nodes = [NodeFacts("n", config, "H100-80GB", 8) for config in ("all-1g.10gb", "all-disabled")]
    (pool,), imported = import_nodes(nodes, Imported())
    assert (pool.layout, texts(imported)) == (
        "all-1g.10gb",
        ("node n: duplicate node; only the first was imported",),
    )


def test_equal_nodes_become_one_pool_per_gpu_model() -> None:
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
    assert texts(imported) == ()
    assert {layout.name for layout in imported.layouts} == {pool.layout for pool in pools}


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (NodeFacts("n", None, "H100-80GB", 8), "has no config"),
        (NodeFacts("n", "all-1g.10gb", None, 8), "its GPU model is unknown; name it with --gpu"),
        (NodeFacts("n", "all-1g.10gb", "H300", 8), "unknown GPU model 'H300'"),
        (NodeFacts("n", "all-1g.10gb", "H100-80GB"), "set it with --gpus-per-node"),
        (NodeFacts("n", "ours", "H100-80GB", 8), "no source defines config 'ours'"),
        (NodeFacts("n", "all-1g.10gb", "H100-80GB", 99), "node n: has 99 GPUs; must be 1 to 64"),
        (NodeFacts("n", "all-1g.10gb", "H100-80GB", 0), "node n: has 0 GPUs; must be 1 to 64"),
        (NodeFacts("n", "all-1g.10gb", "H100-80GB", 0, gpu_count=8), "node n: has 0 GPUs; must be 1 to 64"),
        (NodeFacts("a\nb: c", "all-1g.10gb", "H100-80GB", 8), r"node 'a\nb: c': not a valid node name"),
        (NodeFacts("n", "all-1g.0gb", "Thor", 1), "node n: Thor iGPU (Jetson T5000) has no PCI device id"),
    ],
)
def test_a_node_without_enough_facts_is_reported(node: NodeFacts, text: str) -> None:
    pools, imported = import_nodes([node], Imported())
    assert pools == ()
    assert text in texts(imported)[0]


def test_the_notes_of_a_config_that_is_left_out_say_nothing_of_a_change() -> None:
    imported = import_parted(a_file(an_entry(device_filter="0x233010DE", mig_devices={"4g.40gb": 2, "1g.10gb": 0})))
    assert [note.outcome for note in imported.notes] == [Outcome.LEFT_OUT]


def test_equal_sentences_about_several_nodes_are_one_note() -> None:
    nodes = [NodeFacts(name, "ours", "H100-80GB", 8) for name in ("a", "b", "c", "d")]
    _, imported = import_nodes(nodes, Imported())
    assert texts(imported) == ("nodes a, b, c and 1 more: no source defines config 'ours'; add the file that does",)


@pytest.mark.parametrize(
    ("config", "gpu", "text"),
    [
        ("all-1g.23gb", "B300", "node n: config 'all-1g.23gb' is not for B300-269GB: unknown MIG profile '1g.23gb'"),
        ("all-1g.48gb", "RTX-PRO-6000", "node n: config 'all-1g.48gb' is not for RTX-PRO-6000: unknown MIG profile"),
        ("all-1g.10gb.gfx", "H100-80GB", "node n: config 'all-1g.10gb.gfx' is not for H100-80GB: unknown MIG profile"),
        ("all-hands", "H100-80GB", "node n: no source defines config 'all-hands'; add the file that does"),
    ],
)
def test_a_name_of_nvidias_for_slices_of_another_gpu_is_explained(config: str, gpu: str, text: str) -> None:
    _, imported = import_nodes([NodeFacts("n", config, gpu, 8)], Imported())
    (note,) = texts(imported)
    assert note.startswith(text)
