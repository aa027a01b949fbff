"""Waiting for a condition that has no event."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from mig_fleet.simulator.errors import NotStarted

T = TypeVar("T")

TIMEOUT_S: Final = 60
INTERVAL_S: Final = 0.05


def wait_until(condition: Callable[[], T], what: str) -> T:
    """Return the first truthy result of ``condition``; raises :class:`NotStarted` after :data:`TIMEOUT_S` seconds."""
    deadline = time.monotonic() + TIMEOUT_S
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise NotStarted(f"timeout after {TIMEOUT_S} s waiting until {what}")
        time.sleep(INTERVAL_S)
    return found
