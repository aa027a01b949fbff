"""A timeout for calls into libraries that wait without one."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def call_within(seconds: float, call: Callable[[], T]) -> T:
    """Return or raise what ``call`` does; raise :class:`TimeoutError` after ``seconds``.

    After a timeout the call continues in a daemon thread that is never joined: the thread of an executor would keep
    the process from exiting.
    """
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except BaseException as exc:
            answer.set_exception(exc)

    threading.Thread(target=run, daemon=True).start()
    return answer.result(seconds)
