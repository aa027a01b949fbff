"""Profiles with different names on different boards of one model: each name is found, none is proven."""

from pathlib import Path

import pytest

from mig_fleet import model as mig
from mig_fleet.model import Layout, Placement, Verdict, gpus, prove
from mig_fleet.model.errors import InvalidCatalog, UnknownProfile
from mig_fleet.model.gpus import GpuModel
from mig_fleet.model.gpus.loader import load
from mig_fleet.model.placement import explain, feasible, is_proven_alternative, maximal, nearest
from mig_fleet.policies import layout_fits_gpu
from mig_fleet.policies.pool_facts import PoolFacts

GB200 = gpus.find("GB200")
GB300 = gpus.find("GB300")
FOLDER = Path(mig.__file__).parent / "gpus"
PAIRS = [
    (model, row.name, other.name)
    for model in gpus.all_models()
    for row in model.profiles.values()
    for other in row.alternate_names
]


def test_two_models_have_profiles_with_several_names() -> None:
    assert {model.short for model, _, _ in PAIRS} == {"GB200-186GB", "GB300-278GB"}
    assert [model.short for model in gpus.all_models() if model.boards_differ] == ["GB200-186GB", "GB300-278GB"]
    assert GB200.names_of("1g.24gb+me") == GB200.names_of("1g.23gb+me") == ("1g.23gb+me", "1g.24gb+me")
    assert GB200.names_of("2g.47gb") == ("2g.47gb",), "all boards report this one"
    assert GB300.names_of("7g.251gb") == ("7g.278gb", "7g.251gb")


@pytest.mark.parametrize(("model", "name", "other"), PAIRS)
def test_either_name_finds_the_same_slice_and_neither_is_proven(model: GpuModel, name: str, other: str) -> None:
    assert model.knows(name)
    assert model.knows(other)
    assert model.profile(other) is model.profile(name)
    for spelling in (name, other):
        proof = prove(model, {spelling: 1})
        assert proof.verdict is Verdict.UNPROVEN
        assert not proof
        assert proof.request == ((spelling, 1),), "mig-parted gets the requested name"
        assert f"{name} is {other}" in explain(proof) or "the sources disagree on the placements" in explain(proof)


def test_a_name_that_no_board_reports_stays_unknown() -> None:
    assert not GB200.knows("1g.22gb")
    assert not GB200.knows("nonsense")
    assert not GB200.knows("4c.3g.95gb"), "a 3g has three compute slices under either name"
    with pytest.raises(UnknownProfile, match=r"did you mean '1g\.2[34]gb'\?"):
        prove(GB200, {"1g.22gb": 1})


def test_the_reason_names_the_boards_the_danger_and_the_command_to_run() -> None:
    assert explain(prove(GB200, {"1g.24gb": 7})) == (
        "names differ between boards of GB200-186GB: 1g.23gb is 1g.24gb on early and some other boards; on a board "
        "without the name mig-parted wipes the GPU and reports success; "
        "run on a node with this GPU model: nvidia-smi mig -lgip; if it lists the names of the layout, write in the "
        "layout `confirmed: {names: WHERE AND WHEN}`"
    )


def test_the_placements_are_known_although_the_name_is_unproven() -> None:
    proof = prove(GB200, {"3g.95gb": 1, "2g.47gb": 1})
    assert not proof
    assert proof.fits
    assert proof.placements == (Placement("2g.47gb", 2, 2), Placement("3g.95gb", 4, 4))
    assert proof.creation_order == ("3g.95gb", "2g.47gb")
    assert proof.requires == ("driver R570 (570.133.20) or newer for 2g.47gb, 3g.95gb",)
    assert not prove(GB300, {"3g.126gb": 1}).fits


def test_a_name_that_all_boards_report_is_proven() -> None:
    assert prove(GB200, {"2g.47gb": 3})
    assert prove(GB200, {"2g.47gb": 1}, keep=[Placement("3g.95gb", 0, 4)]), "a kept instance has its name already"


def test_the_two_names_of_a_profile_share_its_limits() -> None:
    both = prove(GB200, {"1g.23gb": 4, "1g.24gb": 4})
    assert both.verdict is Verdict.IMPOSSIBLE, "it is one profile under two names"
    assert explain(both) == "1g.23gb ×8 need 8 compute slices, GB200-186GB has 7"
    assert prove(GB200, {"1c.3g.95gb": 3, "1c.3g.93gb": 3}).creation_order == ("3g.93gb", "3g.93gb")
    assert prove(GB300, {"1g.31gb": 8}).verdict is Verdict.IMPOSSIBLE


def test_a_reason_has_the_requested_name() -> None:
    assert explain(prove(GB200, {"1g.24gb": 8})) == "1g.24gb ×8 need 8 compute slices, GB200-186GB has 7"
    assert explain(prove(GB200, {"3g.95gb": 2, "1g.24gb": 1})) == (
        "3g.95gb ×2 fill memory slices 0–7; nothing is left for 1g.24gb although 1 compute slice is free"
    )


def test_the_nearest_layouts_have_the_names_of_the_requested_boards() -> None:
    assert nearest(prove(GB200, {"1g.24gb": 8}))[0] == {"1g.24gb": 7}
    assert nearest(prove(GB200, {"1g.23gb": 8}))[0] == {"1g.23gb": 7}
    alternatives = nearest(prove(GB200, {"3g.95gb": 3}))
    assert {"4g.95gb": 1, "3g.95gb": 1} in alternatives, "all names of a layout are of the same boards"


def test_layouts_with_the_same_names_on_all_boards_are_the_nearest() -> None:
    proof = prove(GB200, {"2g.47gb": 4})
    assert nearest(proof)[0] == {"2g.47gb": 3, "1g.47gb": 1}, "following it is not refused"
    assert all(is_proven_alternative(proof, layout) for layout in nearest(proof))
    beside = prove(GB200, {"2g.47gb": 4}, keep=[Placement("1g.23gb", 6, 1)])
    assert nearest(beside)[0] == {"2g.47gb": 3}, "a kept instance has its name already"
    assert [is_proven_alternative(beside, layout) for layout in nearest(beside)] == [True, False, False]


def test_a_nearest_layout_with_a_name_of_some_boards_is_marked_as_unproven() -> None:
    layout = Layout.parse("many", {"gpu": "GB200", "all": {"3g.95gb": 3}})
    (conflict,) = layout_fits_gpu.check(PoolFacts("p", "GB200", 4, layout))
    assert conflict.text.endswith("what fits: 2 × 3g.95gb (unproven) or 1 × 4g.95gb + 1 × 3g.95gb (unproven)")
    layout = Layout.parse("many", {"gpu": "GB200", "all": {"2g.47gb": 4}})
    (conflict,) = layout_fits_gpu.check(PoolFacts("p", "GB200", 4, layout))
    assert conflict.text.endswith("what fits: 3 × 2g.47gb + 1 × 1g.47gb or 2 × 2g.47gb + 2 × 1g.47gb")


def test_the_two_names_are_two_layouts_and_both_are_unproven() -> None:
    names = [Layout.uniform("dense", "GB200", {name: 7}) for name in ("1g.23gb", "1g.24gb")]
    assert len({layout.config_name for layout in names}) == 2
    assert [layout.groups[0].profiles for layout in names] == [{"1g.23gb": 7}, {"1g.24gb": 7}]
    for layout in names:
        ((_, proof),) = layout.proofs()
        assert explain(proof).startswith("names differ between boards of GB200-186GB: ")


def test_the_catalog_lists_every_layout_of_such_a_model_once() -> None:
    assert {"1g.23gb": 7} in maximal(GB200)
    assert not any("1g.24gb" in layout for layout in feasible(GB200))


@pytest.mark.parametrize(
    ("new", "why"),
    [
        ('{ name = "1g.12gb", where = "somewhere", source = "hearsay" }', r"key 'source': 'hearsay' is not in sources"),
        ('{ name = "2g.12gb", where = "somewhere", source = "lgip-h200" }', "must be 1g.10gb with another memory"),
        ('{ name = "1g.12gb+me", where = "somewhere", source = "lgip-h200" }', "must be 1g.10gb with another memory"),
        ('{ name = "01g.12gb", where = "somewhere", source = "lgip-h200" }', "must be 1g.10gb with another memory"),
        ('{ name = "ten", where = "somewhere", source = "lgip-h200" }', "'ten' is not a MIG profile"),
        ('{ name = "1g.20gb", where = "somewhere", source = "lgip-h200" }', "duplicate 1g.20gb"),
        ('{ name = "1g.12gb", source = "lgip-h200" }', "key 'where': is missing"),
    ],
)
def test_an_alternate_name_in_the_catalog_is_checked_like_every_other_fact(new: str, why: str) -> None:
    text = (FOLDER / "h100-80gb.toml").read_text("utf-8")
    with pytest.raises(InvalidCatalog, match=why):
        load(
            "h100-80gb.toml",
            text.replace("starts = [0,", f"alternate_names = [{new}]\nstarts = [0,", 1),
            gpus.sources(),
        )
