"""Every fault of the table: what the user reads, line by line, which nodes were touched, what is left; and the next
update heals.
"""

from collections.abc import Callable

import pytest

from mig_fleet.observed.differences import Kind
from mig_fleet.rollout.recovery import Remedy
from tests.faults.everything import BY_NAME, FAULTS
from tests.faults.fault import Fault, Outcome
from tests.faults.ground import FIRST, POOL
from tests.faults.outcome import Played
from tests.faults.remedies import told

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]


def test_the_table_is_large_and_says_each_thing_once() -> None:
    assert len(BY_NAME) >= 40
    assert len(BY_NAME) == sum(map(len, FAULTS.values()))


@pytest.mark.parametrize("kind", [*Kind, "ConfigMap gone", "ConfigMap edited"])
def test_every_class_of_drift_is_in_a_preview_of_the_table(kind: str) -> None:
    assert any(line.startswith(f"drift: {kind}: ") for fault in BY_NAME.values() for line in fault.previews)


@pytest.mark.parametrize("remedy", Remedy)
def test_every_remedy_helps_somewhere_in_the_table(remedy: Remedy) -> None:
    assert any(f": {remedy} (" in line for fault in BY_NAME.values() for line in fault.recovers)


@pytest.mark.parametrize("fault", BY_NAME.values(), ids=list(BY_NAME))
def test_fault(fault: Fault, played: Callable[[Fault], Played]) -> None:
    seen = played(fault)
    assert bool(seen.error) == (fault.outcome is not Outcome.GOES_ON), seen.error
    assert seen.reads == fault.reads
    assert seen.news == fault.previews
    assert set(fault.recovers) <= set(seen.recovered), seen.recovered
    assert "Traceback" not in seen.error
    assert seen.closed == fault.closed
    assert seen.touched == fault.touched
    allowed = FIRST if seen.error and fault.target else POOL
    assert set(seen.touched) <= set(allowed), "a wave behind a failed one was touched"
    if fault.closed:
        assert all(node in seen.error for node in fault.closed), "who is closed must be said"
    assert sorted(seen.started_over) == sorted(told([*seen.reads, *seen.recovered])), "what is started over is said"
    assert seen.overlapping == (), "a node was helped before the one before it was right"
    if fault.rollout.get("recovery") is False:
        assert seen.started_over == (), "recovery is off"
