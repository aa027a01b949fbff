"""A process that changes the fleet and is killed right before or right after one of its writes.

It runs what the engine's provider process runs, with the product's own code; only :meth:`Connection.call` is watched,
here and not in the product. Started by a fork server, so that a death costs milliseconds and not an import of Pulumi.
"""

import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass
from typing import Any

from mig_fleet.cluster.connection import Connection
from tests.faults.hurry import hurry
from tests.faults.recorded import Inputs
from tests.faults.stack import Known, Stack

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
PRELOADED = ["tests.faults.dying", "kubernetes.client", "kubernetes.config", "kubernetes.stream"]
FINISHED, KILLED = 0, -signal.SIGKILL
WITHIN_S = 60


@dataclass(frozen=True)
class Death:
    """The n-th write, counted from 1, of one process."""

    write: int
    answered: bool
    """Whether the API server's answer was heard; else the request was never sent."""

    def __str__(self) -> str:
        return f"{'after' if self.answered else 'before'} write {self.write}"


class Deaths:
    """Where they are started."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOADED)

    def up(self, stack: Stack, program: Inputs, death: Death) -> int:
        """Run an update that dies; its exit status, :data:`KILLED`, or :data:`FINISHED` where it has no such write."""
        process = self._context.Process(target=_live, args=(stack.state, program, stack, death))
        process.start()
        process.join(WITHIN_S)
        assert process.exitcode is not None, "neither finished nor dead"
        return process.exitcode


def _live(state: dict[str, Known], program: Inputs, stack: Stack, death: Death) -> None:
    hurry()
    _watch(death)
    update = Stack(stack.kubeconfig, dict(state)).up(program)
    print(update.error, flush=True)


def _watch(death: Death) -> None:
    """Count the writes of all threads, and die at the right one."""
    call, lock, count = Connection.call, threading.Lock(), 0

    def watched(self: Connection, method: str, *args: Any, **kwargs: Any) -> Any:
        nonlocal count
        if method not in WRITES:
            return call(self, method, *args, **kwargs)
        with lock:
            count += 1
            mine = count == death.write
        if mine and not death.answered:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = call(self, method, *args, **kwargs)
        if mine:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    Connection.call = watched  # type: ignore[method-assign]
