"""Notice that the engine cancels the update, while other calls of this provider are at work.

After the first Ctrl-C the engine sends `Cancel` to each provider and waits for the calls in flight. It starts providers
in process groups of their own, so a signal from the terminal does not reach them (pulumi sdk v3.259.0
go/common/util/cmdutil/child_unix.go). The servicer of Python's dynamic providers answers `Cancel` without telling the
providers (pulumi/dynamic/__main__.py), and with the four threads that also make the calls: four waits would delay it.

gRPC lets a method name the threads that serve it, in the attribute ``experimental_thread_pool`` (grpc/_server.py). With
a pool of its own `Cancel` is served at once, and the pool notes that it was sent. Nothing of the SDK is replaced: where
the SDK or gRPC has no such name any more, an interrupt waits for the calls in flight, as it does without us.
"""

import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from mig_fleet.rollout.engine_run import interrupt

SERVICER = "DynamicResourceProviderServicer"
"""The class in the main module of a process that serves dynamic providers."""


class _CancelThread(ThreadPoolExecutor):
    """Serves `Cancel`, and ends the waits of this process when it arrives."""

    def __init__(self) -> None:
        super().__init__(max_workers=1)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        interrupt()
        return super().submit(fn, *args, **kwargs)


def listen_for_cancel() -> None:
    """End waits when the engine cancels; can be repeated, and does nothing outside a provider's process."""
    cancel = getattr(getattr(sys.modules["__main__"], SERVICER, None), "Cancel", None)
    if cancel is not None and not hasattr(cancel, "experimental_thread_pool"):
        cancel.experimental_thread_pool = _CancelThread()
