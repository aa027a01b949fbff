"""docs/faults.md says what comes of every fault.

Its quotations are from one run. On a loaded machine another one may see a node in another state on its way, so what is
compared with this run is everything else; a quotation must have the lines that the fault's own test demands.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.document import document
from tests.faults.everything import BY_NAME, FAULTS
from tests.faults.fault import Fault
from tests.faults.outcome import Played

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"
WRITE = "MIG_FLEET_WRITE_FAULTS"


def test_the_page_about_faults_is_what_came_of_them(played: Callable[[Fault], Played]) -> None:
    results = {name: played(fault) for name, fault in BY_NAME.items()}
    text = document(FAULTS, results)
    if os.environ.get(WRITE):
        DOCUMENT.write_text(text)
    assert findings(DOCUMENT.read_text()) == findings(text), "`make fault-table` writes it anew"


def test_the_page_quotes_what_a_user_must_read() -> None:
    parts = DOCUMENT.read_text().split("\n### ")
    quoted = {part.partition("\n")[0].casefold(): _lines(part) for part in parts}
    missing = [
        (fault.name, line)
        for fault in BY_NAME.values()
        for line in (*fault.previews, *fault.reads, *fault.recovers)
        if line not in quoted.get(fault.name.casefold(), ())
    ]
    assert missing == [], "`make fault-table` writes it anew"


def findings(page: str) -> list[str]:
    """The page without its quotations."""
    return [line for line in page.splitlines() if line.startswith(("#", "|", "*", "- "))]


def _lines(section: str) -> set[str]:
    return {line.strip() for line in section.splitlines()}
