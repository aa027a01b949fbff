"""The generated parts of docs/reference are those of the code."""

from pathlib import Path

import pytest

import mig_fleet
from mig_fleet.observed.drift import DriftClass
from tools.reference_pages.__main__ import FOLDER, pages
from tools.reference_pages.components import COMPONENTS
from tools.reference_pages.errors import PROVOKED, message

PAGES = pages()


@pytest.mark.parametrize("path", sorted(PAGES), ids=lambda path: path.name)
def test_a_page_is_current(path: Path) -> None:
    assert path.read_text("utf-8") == PAGES[path], "run `make reference-pages`"


def test_every_public_component_has_a_section() -> None:
    no_components = {"FleetRefused", "Layout"}
    assert set(mig_fleet.__all__) - no_components == COMPONENTS.keys()


def test_every_key_of_an_argument_has_words() -> None:
    page = PAGES[FOLDER / "components.md"]
    silent = [line for line in page.splitlines() if line.startswith("| `") and line.endswith("|  |")]
    assert silent == [], "write the documentation of the key below it"


def test_every_class_of_drift_is_on_its_page() -> None:
    page = PAGES[FOLDER / "drift.md"]
    assert [drift for drift in DriftClass if f"`{drift}`" not in page] == []


@pytest.mark.parametrize("title", PROVOKED)
def test_a_message_names_a_way_out(title: str) -> None:
    ways = ("did you mean", "look like", "write one of", "check ", "run the update again")
    assert any(way in message(title) for way in ways)
