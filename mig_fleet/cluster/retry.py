"""Retry while the API server is unreachable."""

import time
from collections.abc import Callable
from typing import TypeVar

from mig_fleet.cluster.errors import ClusterError, Forbidden, NoCredentials

T = TypeVar("T")


def retry_while_unreachable(
    ask: Callable[[], T],
    within_s: float,
    pause_s: float,
    sleep: Callable[[float], None],
    report: Callable[[ClusterError], None],
) -> T:
    """What ``ask`` returns, retried for ``within_s`` seconds with ``pause_s`` seconds between two attempts.

    Raises the last :class:`ClusterError` when the time is over; missing credentials and missing rights are raised at
    once, because a retry does not change them. ``report`` gets each error after which there is another attempt;
    ``sleep`` may raise to end the wait.
    """
    started = time.monotonic()
    while True:
        try:
            return ask()
        except (Forbidden, NoCredentials):
            raise
        except ClusterError as exc:
            if time.monotonic() - started > within_s:
                raise
            report(exc)
        sleep(pause_s)
