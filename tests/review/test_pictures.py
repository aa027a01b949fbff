"""The pictures of the documentation are those of the recorded previews and series, and readers without pictures get
words.
"""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tools.pictures import FOLDER, ROOT, pictures

Pictures = dict[Path, str]
CONCEPTS = ("mig-manager", "placement", "slice", "waves")
FILES = [
    *(FOLDER / f"{name}.svg" for name in CONCEPTS),
    *(FOLDER / name for name in ("monitoring-dark.svg", "monitoring-light.svg", "review.svg")),
]
README = (ROOT / "README.md").read_text("utf-8")
REVIEW = FOLDER / "review.svg"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def drawn() -> Pictures:
    """Each file and its text, drawn from the recorded previews and series as they are now."""
    return pictures()


def test_the_folder_has_these_pictures(drawn: Pictures) -> None:
    assert set(FOLDER.iterdir()) == set(drawn) == set(FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_picture_is_current(path: Path, drawn: Pictures) -> None:
    assert path.read_text("utf-8") == drawn[path], "run `make pictures`"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_picture_has_words_and_needs_nothing_from_elsewhere(path: Path, drawn: Pictures) -> None:
    picture = ElementTree.fromstring(drawn[path])
    assert picture[0].tag.endswith("title")
    assert not re.search(r"url\((?!#)|@import|href=\"(?!#)|<script|\son\w+=", drawn[path])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_picture_is_made_for_a_light_and_a_dark_page(path: Path, drawn: Pictures) -> None:
    of_both = "prefers-color-scheme: dark" in drawn[path]
    pair = {FOLDER / f"{path.stem.rpartition('-')[0]}-{theme}.svg" for theme in ("light", "dark")}
    assert of_both or pair <= set(FILES)


def test_the_readme_shows_the_review_with_its_words(drawn: Pictures) -> None:
    shown = re.search(rf'<img src="{REVIEW.relative_to(ROOT)}" alt="([^"]+)"', README)
    assert shown
    descriptions = [element.text or "" for element in ElementTree.fromstring(drawn[REVIEW]).iter(f"{SVG}desc")]
    changes = [line for text in descriptions for line in text.split("; ") if ", changed: " in line]
    assert changes
    assert all(line in shown[1] for line in changes), changes


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_about_monitoring_shows_the_dashboard_with_its_words(drawn: Pictures, theme: str) -> None:
    page = (ROOT / "docs" / "reference" / "monitoring.md").read_text("utf-8")
    shown = re.search(rf"!\[(.+)\]\(\.\./pictures/monitoring-{theme}\.svg#gh-{theme}-mode-only\)", page)
    (words,) = ElementTree.fromstring(drawn[FOLDER / f"monitoring-{theme}.svg"]).iter(f"{SVG}desc")
    assert shown and shown[1] == words.text


@pytest.mark.parametrize("name", CONCEPTS)
def test_a_page_about_a_concept_shows_its_picture_with_words(name: str) -> None:
    pages = [path.read_text("utf-8") for path in (ROOT / "docs" / "concepts").glob("*.md")]
    assert any(re.search(rf"!\[.{{40,}}\]\(\.\./pictures/{name}\.svg\)", page) for page in pages)
