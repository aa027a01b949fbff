"""docs/explanation/truth.md has the figures of every part of the suite."""

import re

from mig_fleet import toolchain
from tests.conformance.parts import PARTS
from tools.conformance import HEAD, MARK, PAGE, Row, rows, table

FIGURES = PAGE.read_text("utf-8").partition(MARK)[2]


def test_the_page_has_a_row_without_differences_for_each_part_and_for_the_pinned_version() -> None:
    """The form and the versions; cases and seconds are those of the run that wrote it."""
    lines = FIGURES.splitlines()
    assert tuple(lines[:2]) == HEAD, "run `make conformance-page`"
    assert len(lines) == len(HEAD) + len(PARTS) + 2
    for line, part in zip(lines[2:], PARTS, strict=False):
        version = re.escape(toolchain.family(part.family).version)
        name, compared = re.escape(part.name), re.escape(part.compared)
        found = re.fullmatch(
            rf"\| {name} \| {part.program} v{version} \| {compared} \| ([\d,]+) \| ([\d,]+) \| 0 \| \d+ \|", line
        )
        assert found, "run `make conformance-page`"
        assert found[1] == found[2] != "0"
    assert re.fullmatch(r"Measured on \d{4}-\d\d-\d\d, with the versions above\.", lines[-1])


def test_a_difference_is_counted_and_shown() -> None:
    records = [{"part": PARTS[0].name, "agrees": agrees, "seconds": 0.4} for agrees in (True, True, False)]
    (row,) = rows(records)
    assert (row.cases, row.equal, row.differences) == (3, 2, 1)
    assert row.markdown().endswith("| 3 | 2 | 1 | 1 |")
    assert row.markdown() in table([row], "2026-11-29")


def test_a_part_without_cases_has_no_row() -> None:
    assert rows([]) == list[Row]()
