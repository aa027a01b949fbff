"""What an interrupt of this process changes for calls: a server that is silent ends all of them together, soon.

Each answer gives the calls after it the full time again, so the nodes of a large fleet can still be restored.
"""

import math
import time

AFTER_INTERRUPT_S = 10.0
"""Seconds without an answer after the interrupt; then no call waits any longer, and none is sent."""


class Interruption:
    """Times are those of :func:`time.monotonic`; infinity is never."""

    def __init__(self) -> None:
        self._at = self._silent_since = math.inf

    def interrupt(self) -> None:
        """Only the first interrupt counts."""
        self._at = min(self._at, time.monotonic())

    def is_interrupted(self) -> bool:
        return self._at < math.inf

    def forget(self) -> None:
        """For tests, which play several runs in one process."""
        self._at = self._silent_since = math.inf

    def ends_at(self, started: float, at_most_s: float = math.inf) -> float:
        """When a call that began at ``started`` must have ended: at most so many seconds after the interrupt."""
        return max(started, self._at) + min(AFTER_INTERRUPT_S, at_most_s)

    def left_s(self) -> float:
        """Seconds for which the API server is still asked; infinity while it is not silent."""
        return self._silent_since + AFTER_INTERRUPT_S - time.monotonic()

    def note_answer(self) -> None:
        self._silent_since = math.inf

    def note_silence(self, started: float) -> None:
        """A call that began at ``started`` got no answer; before an interrupt that changes nothing."""
        self._silent_since = min(self._silent_since, max(started, self._at))


interruption = Interruption()
"""Of this process: the engine cancels its providers, not single calls."""
