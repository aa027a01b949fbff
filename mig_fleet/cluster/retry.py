"""Retry while the API server is unreachable."""

import time
from collections.abc import Callable
from typing import TypeVar

from mig_fleet.cluster.errors import ClusterError, Forbidden, NoCredentials

T = TypeVar("T")


def retry_while_unreachable(
    ask: Callable[[], T], within_s: float, pause_s: float, sleep: Callable[[float], None] | None = None
) -> T:
    """What ``ask`` returns, retried for ``within_s`` seconds with ``pause_s`` seconds between two attempts.

    Raises the last :class:`ClusterError` when the time is over; missing credentials and missing rights are raised at
    once, because a retry does not change them. ``sleep`` may raise to end the wait (default: :func:`time.sleep`).
    """
    sleep = sleep or time.sleep
    started = time.monotonic()
    while True:
        try:
            return ask()
        except (Forbidden, NoCredentials):
            raise
        except ClusterError:
            if time.monotonic() - started > within_s:
                raise
        sleep(pause_s)
