"""A clock that moves only when the code under test, or a test, sleeps."""

import heapq
import itertools
import math
from collections.abc import Callable


class Clock:
    """Replaces the module ``time``; scheduled calls run during a sleep, in the order of their times."""

    def __init__(self) -> None:
        self._started = self.now = 1000.0
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        while self._due and self._due[0][0] <= until:
            self.now, _, act = heapq.heappop(self._due)
            act()
        self.now = until

    def after(self, seconds: float, act: Callable[[], object]) -> None:
        """Call ``act`` during the sleep that passes this time."""
        heapq.heappush(self._due, (self.now + seconds, next(self._numbers), act))

    @property
    def next_due(self) -> float:
        """When the next call is scheduled; infinite if none is."""
        return self._due[0][0] if self._due else math.inf

    @property
    def slept(self) -> float:
        """Seconds since the clock was created."""
        return self.now - self._started
