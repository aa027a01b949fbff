"""NVML read in a process of its own, so that nothing the driver does can end, hang or outlive the probe.

The process is a fork: the probe's modules are loaded once, and a reading costs milliseconds of a node's processor.
"""

import multiprocessing
import os
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkContext, ForkProcess

from mig_fleet.model.gpus import all_models
from mig_fleet.model.report import Report
from mig_fleet.probe import nvml

TIMEOUT_S = 60.0
"""NVML answers in milliseconds; a driver that hangs shall end in the report and not in a silent probe."""

LEAVE_S = 5.0
"""How long a killed process may take to go. One that hangs inside the driver does not go at all."""


class Apart:
    """Reads when told to; never two readings at a time."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._fork: ForkContext = multiprocessing.get_context("fork")
        self._stuck: ForkProcess | None = None
        all_models()  # read here once, and not in each fork

    def read(self, node: str) -> Report:
        """What NVML has; whatever goes wrong on the way becomes an error in the report."""
        if self._stuck is not None and self._stuck.is_alive():
            return failed(node, "an earlier reading of NVML still hangs in the driver; the node needs a reboot")
        try:
            ours, theirs = self._fork.Pipe(duplex=False)
            child = self._fork.Process(target=_answer, args=(theirs, node), daemon=True)
            with ours:
                with theirs:
                    child.start()
                return self._report(ours, child, node)
        except OSError as exc:
            return failed(node, f"no process could be started to read NVML: {exc}")

    def _report(self, answer: Connection, child: ForkProcess, node: str) -> Report:
        try:
            if answer.poll(self._timeout_s):
                report: Report = answer.recv()
                return report
            return failed(node, f"reading NVML took longer than {self._timeout_s:g} s; the driver hangs")
        except EOFError:
            child.join(LEAVE_S)
            return failed(node, f"reading NVML ended with {_ending(child.exitcode)}")
        finally:
            child.kill()
            child.join(LEAVE_S)
            self._stuck = child if child.is_alive() else None


def leave(status: int) -> int:
    """``status``, to end with; but where a reading still hangs in the driver, the process ends here and now, because
    Python would wait for that reading first, and it never ends.
    """
    stuck = multiprocessing.active_children()
    if not stuck:
        return status
    for child in stuck:
        child.kill()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(status)


def failed(node: str, reason: str) -> Report:
    """A report of nothing but the reason why there is none."""
    return Report(node=node, driver_version="", config=None, state=None, gpus=(), errors=(reason,))


def _answer(answer: Connection, node: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Whoever reads what the probe prints waits until nobody can write there any more, a reading that hangs included.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    try:
        report = nvml.read(node)
    except Exception as exc:
        # A bug of ours or of the bindings: the report is where somebody will look.
        report = failed(node, f"reading NVML failed: {type(exc).__name__}: {exc}")
    answer.send(report)


def _ending(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"signal {-exit_code} ({signal.strsignal(-exit_code)})"
    return f"exit status {exit_code}"
