"""During a wait: which probes cannot report, so that the wait ends early and states the reason."""

import time
from collections.abc import Sequence
from typing import Final

from mig_fleet.observed.drift import Difference
from mig_fleet.observed.probe_health import Problem, silent_nodes, with_problems
from mig_fleet.observed.snapshot import Snapshot

GRACE_S: Final = 20.0
"""Seconds without a report until its reason is looked up; the probe reads every 15 seconds by default."""
PAUSE_S: Final = 5.0
"""Seconds between two look-ups."""


class SilentProbes:
    """What one wait knows of the probes that do not report."""

    def __init__(self) -> None:
        self._silent_since: float | None = None
        self._asked_at = 0.0
        self._problems: dict[str, Problem] = {}

    def cannot_report(self, seen: Snapshot, found: Sequence[Difference]) -> bool:
        """Whether nothing is left to wait for but probes that cannot report."""
        silent, now = silent_nodes(found), time.monotonic()
        if not silent:
            self._silent_since, self._problems = None, {}
            return False
        self._silent_since = self._silent_since or now
        if now - self._silent_since >= GRACE_S and now - self._asked_at >= PAUSE_S:
            self._problems, self._asked_at = seen.probe_problems(silent), now
        known = self._problems | seen.blocked_probes(silent)
        return all((problem := known.get(each.node)) is not None and problem.is_final for each in found)

    def explain(self, seen: Snapshot, found: Sequence[Difference]) -> list[Difference]:
        """The differences; a report that is missing or stale with what is wrong with the probe."""
        silent = silent_nodes(found)
        return with_problems(found, self._problems or seen.probe_problems(silent)) if silent else list(found)
