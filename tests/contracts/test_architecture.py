"""docs/architecture.md describes the code as it is, and every link and path in the documentation leads to something."""

import inspect
import re
from collections import Counter
from dataclasses import fields
from pathlib import Path

import pytest
from pydantic.alias_generators import to_camel

from mig_fleet.components.assignment import CHECK_ONLY
from mig_fleet.components.destroy_guard import DestroyGuardArgs
from mig_fleet.components.layout_file import LayoutFile, LayoutFileArgs
from mig_fleet.components.owner import IDENTITY, ClusterOwnerArgs
from mig_fleet.components.supporting_objects import SupportingObjectsArgs
from mig_fleet.components.verification import Verification
from mig_fleet.observed.drift import DriftClass
from mig_fleet.observed.expected import Expected
from mig_fleet.rollout.wave import PREVIEW_ONLY
from tests.memory.wave import a_wave

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "mig_fleet"
SOURCES = [ROOT / name for name in ("benchmarks", "components", "mig_fleet", "policy", "stacks", "tests", "tools")]
FILE = "docs/architecture.md"
ARCHITECTURE = (ROOT / FILE).read_text("utf-8")
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "changelog.d/README.md", "mig_fleet/simulator/*.md")
    for path in ROOT.glob(pattern)
)


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading of the page, without the head."""
    section = ARCHITECTURE[ARCHITECTURE.index(f"\n## {heading}\n") :]
    table = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)[0]
    return [[cell.strip() for cell in line.strip("|\n").split("|")] for line in table.splitlines()[2:]]


def in_code_font(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", text)


def test_the_drift_table_has_each_class_of_drift_once() -> None:
    shown = Counter(name for row in rows("Drift") for name in row[0].split(", "))
    missing = [f"| {name} | … |" for name in DriftClass if str(name) not in shown]
    assert not missing, f"add to the table of drift in {FILE}:\n" + "\n".join(missing)
    assert shown == Counter(map(str, DriftClass)), "there is no such class, or it is there twice"


def test_the_table_of_properties_has_each_property_and_no_other() -> None:
    shapes = (LayoutFileArgs, ClusterOwnerArgs, DestroyGuardArgs, SupportingObjectsArgs)
    of_file = {to_camel(key) for shape in shapes for key in shape.__annotations__}
    of_wave = a_wave("n1", joining=("n2",), owned_elsewhere=("n3",)).keys()
    outputs = {*inspect.get_annotations(Verification), *inspect.get_annotations(LayoutFile)}
    required = {*of_wave, *PREVIEW_ONLY, *of_file, *IDENTITY, *outputs}
    shown = {key for row in rows("Properties") for key in in_code_font(row[0])}
    missing = [f"| `{key}` | … | … |" for key in sorted(required - shown)]
    assert not missing, f"add to the table of properties in {FILE}:\n" + "\n".join(missing)
    assert shown - required <= set(CHECK_ONLY), "there is no such property"


def test_the_content_of_expected_is_complete() -> None:
    (content,) = (row[2] for row in rows("Properties") if row[0] == "`expected`")
    assert in_code_font(content) == [field.name for field in fields(Expected)]


def is_path(word: str) -> bool:
    """Whether a word in code font is a path of this repository: below a folder of ours, or a Python file."""
    folder, slash, _ = word.partition("/")
    is_ours = re.match(r"\w", folder) and slash and any((above / folder).is_dir() for above in (ROOT, PACKAGE))
    return not re.search("[ <]", word) and (bool(is_ours) or word.endswith(".py"))


def exists(word: str, page: str) -> bool:
    """Below the repository, the package or the page's folder; a file name alone may be in any folder of ours."""
    if any((above / word).exists() for above in (ROOT, PACKAGE, (ROOT / page).parent)):
        return True
    return "/" not in word and any(any(folder.rglob(word)) for folder in SOURCES)


@pytest.mark.parametrize("page", PAGES)
def test_every_path_in_code_font_exists(page: str) -> None:
    words = in_code_font((ROOT / page).read_text("utf-8"))
    assert [word for word in words if is_path(word) and not exists(word, page)] == []


def test_the_paths_of_the_architecture_are_recognized() -> None:
    paths = [word for word in in_code_font(ARCHITECTURE) if is_path(word)]
    assert len(paths) > 40
    assert {"components/", "documents/reading.py", "preflight.py", "tests/contracts"} <= set(paths)


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(
        r"^#+ (.*)$", re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_to_a_file_and_a_heading(page: str) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text("utf-8"), flags=re.DOTALL)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        target = (ROOT / page).parent / file if file else ROOT / page
        # The anchor of a picture says for which kind of page it is.
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_pages_are_found() -> None:
    assert {
        "README.md",
        "CONTRIBUTING.md",
        FILE,
        "docs/reference/stack-file.md",
        "docs/reference/command-line.md",
    } <= set(PAGES)
