"""Plays faults, and those a second time for which the timeouts were too short."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from tests.faults.fault import Fault
from tests.faults.fault_fleet import FaultFleet
from tests.faults.play import Result, play
from tests.faults.short_timeouts import longer_rollout, shorten_timeouts

LONGER: Final = 5
"""Times the short timeouts."""
MOST_AGAIN: Final = 8
"""Faults in one run of the tests. If so many fail with the short timeouts, the product is broken."""

Check = Callable[[Fault, Result], None]


@dataclass
class Player:
    """On a busy machine a node may need longer than a short timeout; the product's own ones are minutes. So a fault
    that is not as expected is played once more with longer ones, on a new fleet, and the summary names it.
    """

    fleet: FaultFleet
    results: dict[str, Result]
    """Fault → what the page shows of it."""
    again: list[str]
    """The faults that were played a second time, in all tests of this run."""
    note: Callable[[str], None]

    def play(self, fault: Fault, check: Check) -> None:
        """Play a fault and check its result. Raises what the second time raises."""
        try:
            self._once(fault, check)
        except Exception as exc:
            if len(self.again) >= MOST_AGAIN:
                raise
            self.again.append(fault.name)
            self.note(f"played again, with longer timeouts: {fault.name}: {exc}")
            self.fleet.spoil()
            shorten_timeouts(LONGER)
            self._once(replace(fault, rollout=longer_rollout(fault.rollout, LONGER)), check)

    def _once(self, fault: Fault, check: Check) -> None:
        result = play(fault, self.fleet.ready())
        check(fault, result)
        self.results[fault.name] = result
