"""Waiting for something that has no event to offer."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from mig_fleet.simulator.errors import NotStarted

T = TypeVar("T")

WITHIN_S: Final = 60
LOOK_EVERY_S: Final = 0.05


def until(look: Callable[[], T], what: str, within_s: float = WITHIN_S) -> T:
    """The first truthy answer; raises :class:`NotStarted` when there is none in time."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        if time.monotonic() > deadline:
            raise NotStarted(f"still not so after {within_s:g} s: {what}")
        time.sleep(LOOK_EVERY_S)
    return found
