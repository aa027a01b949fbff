"""Test files run side by side: what `make test-engine` relies on."""

import ast
import re
from pathlib import Path

import pytest

from tests.conftest import LONG
from tests.marked_files import has_no_test_for

ROOT = Path(__file__).parents[2]


def test_the_files_that_start_first_exist() -> None:
    missing = [path for path in LONG if not (ROOT / path).is_file()]
    assert missing == [], "correct LONG in tests/conftest.py"


def test_a_mark_that_chooses_tests_is_written_in_the_file_of_the_test() -> None:
    """Other files are not imported when tests are chosen by their marks (tests/marked_files.py)."""
    others = [path for path in (ROOT / "tests").rglob("*.py") if not path.name.startswith("test_")]
    marked = [path for path in others if re.search(r"\bmark\.(engine|slow|conformance)\b", path.read_text("utf-8"))]
    assert marked == [], "write `pytest.mark.…` in each file of tests that has the mark"


@pytest.mark.parametrize("mark", ["engine", "slow", "conformance"])
def test_the_line_of_a_mark_of_all_tests_of_a_file_has_no_comment_and_is_in_no_text(mark: str) -> None:
    """Without that mark a run leaves the file out because of this line."""
    for path in (ROOT / "tests").rglob("test_*.py"):
        text = path.read_text("utf-8")
        if has_no_test_for(text, f"not {mark}"):
            assigned = [ast.unparse(each) for each in ast.parse(text).body if isinstance(each, ast.Assign)]
            line = next((each for each in assigned if each.startswith("pytestmark = ")), "")
            assert f"pytest.mark.{mark}" in line, (
                f"{path}: remove mark.{mark} from the line that begins with pytestmark"
            )


@pytest.mark.parametrize(
    ("text", "expression", "has_none"),
    [
        ("@pytest.mark.slow", "engine or slow", False),
        ("@pytest.mark.slow", "engine", True),
        ("@pytest.mark.slower", "slow", True),
        ("@pytest.mark.slow", "not engine and not slow", False),
        ("pytestmark = [pytest.mark.slow, pytest.mark.timeout(9)]", "not engine and not slow", True),
        ("pytestmark = pytest.mark.timeout(9)", "not engine and not slow", False),
        ("", "engine and not slow", False),
        ("", "hypothesis or slow", False),
        ("", "", False),
    ],
)
def test_a_file_is_left_out_only_if_none_of_its_tests_can_be_chosen(
    text: str, expression: str, *, has_none: bool
) -> None:
    assert has_no_test_for(text, expression) == has_none


def engine_tests() -> list[Path]:
    return sorted((ROOT / "tests" / "engine").glob("test_*.py"))


@pytest.mark.parametrize("path", engine_tests(), ids=lambda path: path.name)
def test_an_engine_test_has_its_marker_and_time_for_a_busy_machine(path: Path) -> None:
    line = "pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]"
    assert line in path.read_text("utf-8").splitlines(), f"add the line {line}"


@pytest.mark.parametrize("path", engine_tests(), ids=lambda path: path.name)
def test_only_the_stack_of_all_files_is_deployed_to_the_fleet_of_all_files(path: Path) -> None:
    """A process runs several files in any order. ClusterOwner refuses a second stack that has the first one's pools."""
    functions = [node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.FunctionDef)]
    takes_fleet = [each.name for each in functions if is_test_or_fixture(each) and "fleet" in arguments(each)]
    has_its_own = "fleet" in [each.name for each in functions]
    assert has_its_own or not takes_fleet, f"`with own_fleet_in(...) as fleet` starts another one for {takes_fleet}"


@pytest.mark.parametrize("path", engine_tests(), ids=lambda path: path.name)
def test_no_changes_are_expected_only_once_the_layouts_of_earlier_tests_are_pruned(path: Path) -> None:
    """The test before may have left a layout in MIG Manager's file, which the next update removes."""
    functions = [node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.FunctionDef)]
    if "deployed" in [each.name for each in functions]:
        return  # a stack of its own
    for each in functions:
        before, expected, _ = ast.unparse(each).partition("--expect-no-changes")
        is_pruned = ".prune()" in before or ".up()" in before
        assert is_pruned or not expected or "deployed" not in arguments(each), f"add deployed.prune() to {each.name}"


def is_test_or_fixture(function: ast.FunctionDef) -> bool:
    return function.name.startswith("test_") or any("fixture" in ast.unparse(it) for it in function.decorator_list)


def arguments(function: ast.FunctionDef) -> list[str]:
    return [argument.arg for argument in function.args.args]
