"""Test files run side by side: what `make test-engine` relies on."""

from pathlib import Path

import pytest

from tests.conftest import LONG

ROOT = Path(__file__).parents[2]


def test_the_files_that_start_first_exist() -> None:
    missing = [path for path in LONG if not (ROOT / path).is_file()]
    assert missing == [], "correct LONG in tests/conftest.py"


def engine_tests() -> list[Path]:
    return sorted((ROOT / "tests" / "engine").glob("test_*.py"))


@pytest.mark.parametrize("path", engine_tests(), ids=lambda path: path.name)
def test_an_engine_test_has_its_marker_and_time_for_a_busy_machine(path: Path) -> None:
    line = "pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]"
    assert line in path.read_text("utf-8").splitlines(), f"add the line {line}"
