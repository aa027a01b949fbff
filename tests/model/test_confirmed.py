"""What boards showed settles what no source does; it never makes an impossible layout possible."""

import pickle
from typing import Any

import pytest

from mig_fleet.model import parted
from mig_fleet.model.errors import InvalidLayout
from mig_fleet.model.imports import NodeFacts, import_nodes, import_parted, stack_file
from mig_fleet.model.imports.layouts import Imported
from mig_fleet.model.layouts import Layout
from mig_fleet.model.placement import Confirmed, Verdict, explain
from mig_fleet.model.strategy import Strategy
from mig_fleet.observed.expected import Expected
from tests.model.parted_data import OFF, an_entry

LGIP = "nvidia-smi mig -lgip on tray-3, Ana"


def a_layout(gpu: str, profiles: dict[str, int], confirmed: Any = None) -> Layout:
    document = {"gpu": gpu, "all": profiles}
    return Layout.parse("tenants", document if confirmed is None else {**document, "confirmed": confirmed})


def verdict(layout: Layout) -> Verdict:
    ((_, proof),) = layout.proofs()
    return proof.verdict


@pytest.mark.parametrize("name", ["1g.23gb", "1g.24gb"])
def test_names_that_a_board_listed_are_proven_with_who_showed_them(name: str) -> None:
    assert verdict(a_layout("GB200-186GB", {name: 7})) is Verdict.UNPROVEN
    layout = a_layout("GB200-186GB", {name: 7}, {"names": LGIP})
    ((_, proof),) = layout.proofs()
    assert (proof.verdict, len(proof.placements)) == (Verdict.FEASIBLE, 7)
    assert f"boards with {name}, as shown: {LGIP}" in proof.requires


def test_names_alone_prove_no_placement_that_the_sources_dispute() -> None:
    station = {"3g.126gb": 1, "1g.31gb": 3}
    layout = a_layout("GB300-278GB", station, {"names": LGIP})
    ((_, proof),) = layout.proofs()
    assert proof.verdict is Verdict.UNPROVEN
    assert "`confirmed: {slices: WHERE AND WHEN}`" in explain(proof)
    ((_, shown),) = a_layout("GB300-278GB", station, {"slices": "nvidia-smi -L on station-1"}).proofs()
    assert shown.verdict is Verdict.FEASIBLE
    assert explain(shown) == "the slices that a GPU had: nvidia-smi -L on station-1"


@pytest.mark.parametrize(
    ("gpu", "profiles"),
    [("GB200-186GB", {"1g.23gb": 8}), ("GB300-278GB", {"4g.126gb": 2}), ("H100-80GB", {"3g.40gb": 3})],
)
def test_an_impossible_layout_stays_impossible(gpu: str, profiles: dict[str, int]) -> None:
    assert verdict(a_layout(gpu, profiles, {"names": LGIP, "slices": LGIP})) is Verdict.IMPOSSIBLE


def test_it_changes_neither_the_config_name_nor_what_a_layout_is() -> None:
    plain, shown = (a_layout("GB200-186GB", {"1g.23gb": 7}, it) for it in (None, {"names": LGIP}))
    assert (shown, shown.config_name) == (plain, plain.config_name)
    assert pickle.loads(pickle.dumps(shown)).confirmed == Confirmed(names=LGIP)


@pytest.mark.parametrize(
    ("confirmed", "text"),
    [
        (True, "confirmed: must look like {names: nvidia-smi mig -lgip on tray-3}, found True"),
        ({}, "confirmed: must look like"),
        ({"names": ""}, "confirmed.names: must name who or what showed it"),
        ({"names": ["1g.23gb"]}, "confirmed.names: must name who or what showed it"),
        ({"name": LGIP}, "confirmed.name: unknown key; did you mean 'names'?"),
    ],
)
def test_it_must_say_who_showed_it(confirmed: Any, text: str) -> None:
    with pytest.raises(InvalidLayout) as refused:
        a_layout("GB200-186GB", {"1g.23gb": 7}, confirmed)
    assert any(str(problem).startswith(text) for problem in refused.value.problems), refused.value.problems


def test_the_state_records_it_and_reads_a_state_from_before() -> None:
    layout = a_layout("GB200-186GB", {"1g.23gb": 7}, {"names": LGIP})
    expected = Expected.of_layout(layout, 4, Strategy.MIXED)
    props = expected.to_properties()
    assert props["confirmed"] == {"names": LGIP}
    assert Expected.from_properties(props).confirmed == Confirmed(names=LGIP)
    older = {key: value for key, value in props.items() if key != "confirmed"}
    assert Expected.from_properties(older) == expected


# Labels of nodes, for an import


def a_node(**changes: Any) -> NodeFacts:
    facts: dict[str, Any] = {"name": "gb-1", "config": "all-1g.23gb", "gpu": "NVIDIA-GB200", "gpu_count": 4}
    return NodeFacts(**{**facts, "slices": {"1g.23gb": 28}, **changes})


SEVENS = parted.read(
    {"version": "v1", "mig-configs": {"all-disabled": [OFF], "all-1g.23gb": [an_entry(mig_devices={"1g.23gb": 7})]}}
)


def imported(*nodes: NodeFacts, from_file: bool) -> str:
    models = {"all-1g.23gb": (a_layout("GB200-186GB", {"1g.47gb": 4}).model,)}
    known = import_parted(SEVENS, models=models, nodes=nodes) if from_file else Imported()
    pools, known = import_nodes(nodes, known)
    return stack_file(known.layouts, pools, known.notes)


@pytest.mark.parametrize("from_file", [True, False], ids=["a config of a file", "a config of NVIDIA's"])
def test_a_label_that_counts_the_slices_proves_their_names_and_that_they_fit(from_file: bool) -> None:
    text = imported(a_node(), from_file=from_file)
    assert 'confirmed: {slices: "nvidia.com/mig-1g.23gb.count: 28 on node gb-1"}' in text
    assert "nodes: [gb-1]" in text


def test_a_label_that_counts_other_slices_too_proves_the_names_only() -> None:
    text = imported(a_node(slices={"1g.23gb": 21, "2g.47gb": 3}), from_file=True)
    assert 'confirmed: {names: "nvidia.com/mig-1g.23gb.count: 21 on node gb-1"}' in text


@pytest.mark.parametrize(
    "other", [a_node(slices={}), a_node(config="all-1g.47gb"), a_node(gpu="NVIDIA-B200")], ids=["none", "config", "gpu"]
)
def test_a_node_that_shows_nothing_of_it_proves_nothing(other: NodeFacts) -> None:
    assert "confirmed" not in imported(other, from_file=True).partition("config:\n")[2]
