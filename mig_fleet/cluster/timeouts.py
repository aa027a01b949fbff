"""A timeout for calls into libraries that wait without one."""

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

from mig_fleet.cluster.interruption import interruption

T = TypeVar("T")

INTERRUPT_S = 0.5
"""Seconds until a waiting call notices an interrupt."""


def call_within(seconds: float, call: Callable[[], T], after_interrupt_s: float = math.inf) -> T:
    """Return or raise what ``call`` does; raise :class:`TimeoutError` after ``seconds``, and soon after the user
    interrupts this process: after :data:`~mig_fleet.cluster.interruption.AFTER_INTERRUPT_S`, or ``after_interrupt_s``
    if that is less.

    After a timeout the call continues in a daemon thread that is never joined: the thread of an executor would keep
    the process from exiting.
    """
    answer: Future[T] = Future()
    started = time.monotonic()

    def run() -> None:
        try:
            answer.set_result(call())
        except BaseException as exc:
            answer.set_exception(exc)

    def left_s() -> float:
        return min(started + seconds, interruption.ends_at(started, after_interrupt_s)) - time.monotonic()

    if left_s() > 0:
        threading.Thread(target=run, daemon=True).start()
    while not answer.done():
        if (left := left_s()) <= 0:
            raise TimeoutError
        wait([answer], min(left, INTERRUPT_S))
    return answer.result()
