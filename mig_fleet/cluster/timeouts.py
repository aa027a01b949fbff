"""A call with an end, for libraries that wait without one."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, act: Callable[[], T]) -> T:
    """What ``act`` gives or raises; :class:`TimeoutError` when that takes longer.

    Then it goes on in a thread of its own, which nobody waits for: an executor's would keep the process from ending.
    """
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(act())
        except BaseException as exc:
            answer.set_exception(exc)

    threading.Thread(target=run, daemon=True).start()
    return answer.result(seconds)
