"""docs/faults.md shows the result of every fault.

Its quotations are from one run. On a loaded machine another run may observe a node in another intermediate state, so
everything but the quotations is compared with this run; a quotation must have the lines that the fault's own test
checks.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.all_faults import BY_NAME, FAULTS
from tests.faults.document import document
from tests.faults.fault import Fault
from tests.faults.play import Result

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"
WRITE = "MIG_FLEET_WRITE_FAULTS"


def test_the_page_about_faults_has_the_results_of_this_run(played: Callable[[Fault], Result]) -> None:
    results = {name: played(fault) for name, fault in BY_NAME.items()}
    text = document(FAULTS, results)
    if os.environ.get(WRITE):
        DOCUMENT.write_text(text)
    assert without_quotations(DOCUMENT.read_text()) == without_quotations(text), "`make fault-table` generates it again"


def test_the_page_quotes_every_line_that_the_table_expects() -> None:
    parts = DOCUMENT.read_text().split("\n### ")
    quoted = {part.partition("\n")[0].casefold(): _lines(part) for part in parts}
    missing = [
        (fault.name, line)
        for fault in BY_NAME.values()
        for line in (*fault.preview, *fault.error, *fault.remedies)
        if line not in quoted.get(fault.name.casefold(), ())
    ]
    assert missing == [], "`make fault-table` generates it again"


def without_quotations(page: str) -> list[str]:
    """Headings, tables, descriptions and results."""
    return [line for line in page.splitlines() if line.startswith(("#", "|", "*", "- "))]


def _lines(section: str) -> set[str]:
    return {line.strip() for line in section.splitlines()}
