"""Imported names are data: no name, however unusual, becomes syntax of the stack file."""

import yaml
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.model.imports import Note, Outcome, stack_file
from mig_fleet.model.imports.pools import ImportedPool
from mig_fleet.model.layouts import Layout

DENSE = Layout.parse("dense", {"gpu": "H100-80GB", "all": {"1g.10gb": 7}})
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(nodes=st.lists(NAMES, min_size=1, max_size=3), notes=st.lists(NAMES, max_size=2))
def test_every_name_is_read_back_unchanged_and_every_note_stays_a_comment(nodes: list[str], notes: list[str]) -> None:
    pool = ImportedPool("pool", "H100-80GB", 8, "dense", tuple(nodes))
    document = yaml.safe_load(stack_file([DENSE], [pool], [Note(Outcome.LEFT_OUT, note) for note in notes]))
    assert document.keys() == {"config"}
    assert document["config"]["mig-fleet:pools"]["pool"]["nodes"] == nodes


def test_a_name_with_a_comma_stays_one_name() -> None:
    pool = ImportedPool("pool", "H100-80GB", 8, "dense", ("a, b",))
    text = stack_file([DENSE], [pool], [Note(Outcome.CHANGED, "x\nconfig: {evil: 2}")])
    assert yaml.safe_load(text)["config"]["mig-fleet:pools"]["pool"]["nodes"] == ["a, b"]
    assert "\nconfig: {evil" not in text
