"""The pictures of the documentation are those of the recorded previews and series, and readers without pictures get
words.
"""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tools.pictures import FOLDER, ROOT, pictures

Pictures = dict[Path, str]
FILES = [FOLDER / name for name in ("monitoring-dark.svg", "monitoring-light.svg", "review.svg")]
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
    assert of_both or {"light", "dark"} == {other.stem.removeprefix("monitoring-") for other in FILES} - {"review"}


def test_the_readme_shows_the_review_with_its_words(drawn: Pictures) -> None:
    shown = re.search(rf'<img src="{REVIEW.relative_to(ROOT)}" alt="([^"]+)"', README)
    assert shown
    descriptions = [element.text or "" for element in ElementTree.fromstring(drawn[REVIEW]).iter(f"{SVG}desc")]
    changes = [line for text in descriptions for line in text.split("; ") if ", changed: " in line]
    assert changes
    assert all(line in shown[1] for line in changes), changes


def test_the_readme_shows_the_dashboard_with_its_words_to_both_kinds_of_page(drawn: Pictures) -> None:
    dark = r'<source media="\(prefers-color-scheme: dark\)" srcset="docs/pictures/monitoring-dark.svg">'
    shown = re.search(dark + r'\s*<img src="docs/pictures/monitoring-light.svg" alt="([^"]+)"', README)
    assert shown
    for theme in ("light", "dark"):
        (words,) = ElementTree.fromstring(drawn[FOLDER / f"monitoring-{theme}.svg"]).iter(f"{SVG}desc")
        assert words.text == shown[1]
