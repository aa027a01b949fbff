"""Every fault of the table: what the user reads, which nodes were touched, what is left; and the next update heals."""

from collections.abc import Callable

import pytest

from tests.faults.everything import BY_NAME, FAULTS
from tests.faults.fault import Fault, Outcome
from tests.faults.ground import FIRST, POOL
from tests.faults.outcome import Played

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]


def test_the_table_is_large_and_says_each_thing_once() -> None:
    assert len(BY_NAME) >= 40
    assert len(BY_NAME) == sum(map(len, FAULTS.values()))


@pytest.mark.parametrize("fault", BY_NAME.values(), ids=list(BY_NAME))
def test_fault(fault: Fault, played: Callable[[Fault], Played]) -> None:
    seen = played(fault)
    assert bool(seen.error) == (fault.outcome is not Outcome.GOES_ON), seen.error
    assert [words for words in fault.reads if words not in seen.text] == [], seen.text
    assert "Traceback" not in seen.text
    assert seen.closed == fault.closed
    assert seen.touched == fault.touched
    allowed = FIRST if seen.error and fault.target else POOL
    assert set(seen.touched) <= set(allowed), "a wave behind a failed one was touched"
    if fault.closed:
        assert all(node in seen.error for node in fault.closed), "who is closed must be said"
