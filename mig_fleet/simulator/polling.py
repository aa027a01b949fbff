"""Waiting for a condition that has no event."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from mig_fleet.simulator.errors import NotStarted

T = TypeVar("T")

TIMEOUT_S: Final = 60
INTERVAL_S: Final = 0.05


def wait_until(condition: Callable[[], T], what: str, timeout_s: float = TIMEOUT_S) -> T:
    """Return the first truthy result of ``condition``; raises :class:`NotStarted` after ``timeout_s`` seconds."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise NotStarted(f"timeout after {timeout_s:g} s waiting until {what}")
        time.sleep(INTERVAL_S)
    return found
