"""Background tasks of a fleet."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

Work = Coroutine[Any, Any, None]
Spawn = Callable[[Work], asyncio.Task[None]]
"""Starts a background task: :meth:`Tasks.spawn`."""


class Tasks:
    """Tasks that end with the fleet at the latest. A failure is printed to stderr and does not affect other tasks."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Work) -> asyncio.Task[None]:
        task = asyncio.create_task(_print_failure(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def cancel(self) -> None:
        """Cancel all tasks; returns when they have ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _print_failure(work: Work) -> None:
    try:
        await work
    except asyncio.CancelledError:
        raise
    except Exception as exc:
        print(f"{getattr(work, '__qualname__', work)}: {type(exc).__name__}: {exc}", file=sys.stderr, flush=True)
