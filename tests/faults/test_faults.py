"""For every fault of the table: each line that a user reads, which nodes were written to, and the state at the end. The
next update repairs the pool.
"""

import os

import pytest

from mig_fleet.observed.drift import DriftClass
from mig_fleet.rollout.remedy import Remedy
from tests.faults.all_faults import BY_NAME, FAULTS
from tests.faults.document import DOCUMENT, WRITE, section, without_quotations
from tests.faults.fault import Fault, Outcome
from tests.faults.play import Result
from tests.faults.player import Player
from tests.faults.remedies import remedies_in
from tests.faults.scenario import FIRST_WAVE, POOL

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

PAGE = without_quotations(DOCUMENT.read_text())
UNDER_DRA = {DriftClass.DEVICES_STALE, DriftClass.DYNAMIC_MIG, Remedy.RESTART_DRA_PLUGIN}
"""The nodes of the table have the device plugin. tests/rollout/test_dra.py and tests/engine/test_dra.py show these."""


def test_the_table_has_many_faults_and_no_name_twice() -> None:
    assert len(BY_NAME) >= 40
    assert len(BY_NAME) == sum(map(len, FAULTS.values()))


@pytest.mark.parametrize("drift", [it for it in DriftClass if it not in UNDER_DRA])
def test_every_class_of_drift_is_in_a_preview_of_the_table(drift: DriftClass) -> None:
    assert any(line.startswith(f"drift: {drift}: ") for fault in BY_NAME.values() for line in fault.preview)


@pytest.mark.parametrize("remedy", [it for it in Remedy if it not in UNDER_DRA])
def test_every_remedy_succeeds_for_a_fault_of_the_table(remedy: Remedy) -> None:
    assert any(f": {remedy} (" in line for fault in BY_NAME.values() for line in fault.remedies)


@pytest.mark.parametrize("fault", BY_NAME.values(), ids=list(BY_NAME))
def test_fault(fault: Fault, player: Player) -> None:
    player.play(fault, check)


def check(fault: Fault, result: Result) -> None:
    """The result is as the table has it, and as the page shows it."""
    assert bool(result.error) == (fault.outcome is not Outcome.SUCCEEDED), result.error
    assert result.error_lines == fault.error
    assert result.preview == fault.preview
    assert set(fault.remedies) <= set(result.remedies), result.remedies
    assert "Traceback" not in result.error
    assert result.isolated == fault.isolated
    assert result.written == fault.written
    allowed = FIRST_WAVE if result.error and fault.target else POOL
    assert set(result.written) <= set(allowed), "a wave after the failed one was written to"
    assert all(node in result.error for node in fault.isolated), "the error must name every isolated node"
    reported = remedies_in([*result.error_lines, *result.remedies])
    assert sorted(result.restarted) == sorted(reported), "every restart must be reported"
    assert result.overlapping == (), "a remedy was used before the node before it was recovered"
    if fault.rollout.get("recovery") is False:
        assert result.restarted == (), "recovery is off"
    if WRITE not in os.environ:
        heading, *lines = without_quotations(section(fault, result))
        start = PAGE.index(heading) + 1
        assert PAGE[start : start + len(lines)] == lines, "`make fault-table` writes the page again"
