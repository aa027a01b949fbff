"""docs/faults.md says what came of every fault, and is what this run saw."""

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
    assert DOCUMENT.read_text() == text, "`make fault-table` writes it anew"
