"""The pictures of the documentation are those of the recorded previews, and readers without pictures get words."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tools.pictures import FOLDER, ROOT, pictures

PICTURES = pictures()
README = (ROOT / "README.md").read_text("utf-8")


def test_the_folder_has_these_pictures() -> None:
    assert set(FOLDER.iterdir()) == set(PICTURES)


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_a_picture_is_current(path: Path) -> None:
    assert path.read_text("utf-8") == PICTURES[path], "run `make pictures`"


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_a_picture_has_words_and_needs_nothing_from_elsewhere(path: Path) -> None:
    picture = ElementTree.fromstring(PICTURES[path])
    assert picture[0].tag.endswith("title")
    assert "prefers-color-scheme: dark" in PICTURES[path]
    assert not re.search(r"url\(|@import|href=|<script|\son\w+=", PICTURES[path])


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_the_readme_shows_a_picture_with_its_words(path: Path) -> None:
    shown = re.search(rf'<img src="{path.relative_to(ROOT)}" alt="([^"]+)"', README)
    assert shown
    picture = ElementTree.fromstring(PICTURES[path])
    descriptions = [element.text or "" for element in picture.iter("{http://www.w3.org/2000/svg}desc")]
    changes = [line for text in descriptions for line in text.split("; ") if ", changed: " in line]
    assert changes
    assert all(line in shown[1] for line in changes), changes
