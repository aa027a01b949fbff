"""An update in a process of its own that is killed right before or right after one of its writes.

The process runs the product's own code, as the engine's provider process does; only :meth:`Connection.call` is
replaced, here and not in the product. A fork server starts it, so that a kill costs milliseconds and not an import of
Pulumi.
"""

import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass
from typing import Any

from mig_fleet.cluster.connection import Connection
from tests.faults.recording import Inputs
from tests.faults.short_timeouts import shorten_timeouts
from tests.faults.stack import ResourceState, Stack

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
PRELOADED = ["tests.faults.killed_process", "kubernetes.client", "kubernetes.config", "kubernetes.stream"]
FINISHED, KILLED = 0, -signal.SIGKILL
TIMEOUT_S = 600


@dataclass(frozen=True)
class KillPoint:
    """One write of the process."""

    write: int
    """Its number, counted from 1; of those that the API server accepted, if ``answered``."""
    answered: bool
    """Whether the process received the API server's answer; otherwise the request was never sent."""

    def __str__(self) -> str:
        return f"{'after' if self.answered else 'before'} write {self.write}"


class UpdateProcesses:
    """Starts updates that are killed."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOADED)

    def up(self, stack: Stack, program: Inputs, kill_point: KillPoint) -> int:
        """Run an update; its exit status: :data:`KILLED`, or :data:`FINISHED` if it has no such write."""
        process = self._context.Process(target=_update, args=(stack.state, program, stack, kill_point))
        process.start()
        process.join(TIMEOUT_S)
        assert process.exitcode is not None, f"the update did not end within {TIMEOUT_S} s"
        return process.exitcode


def _update(state: dict[str, ResourceState], program: Inputs, stack: Stack, kill_point: KillPoint) -> None:
    shorten_timeouts()
    _kill_at(kill_point)
    update = Stack(stack.kubeconfig, dict(state)).up(program)
    print(update.error, flush=True)


def _kill_at(kill_point: KillPoint) -> None:
    """Count the writes of all threads, and kill this process at the kill point."""
    call, lock, count = Connection.call, threading.Lock(), 0

    def is_next_the_kill_point() -> bool:
        nonlocal count
        with lock:
            count += 1
            return count == kill_point.write

    def counted(self: Connection, method: str, *args: Any, **kwargs: Any) -> Any:
        if method in WRITES and not kill_point.answered and is_next_the_kill_point():
            os.kill(os.getpid(), signal.SIGKILL)
        answer = call(self, method, *args, **kwargs)
        if method in WRITES and kill_point.answered and is_next_the_kill_point():
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    Connection.call = counted  # type: ignore[method-assign]
