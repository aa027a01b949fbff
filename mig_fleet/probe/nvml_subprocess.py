"""Reads NVML in a process of its own, so that the driver can neither crash nor block the probe.

The process is a fork: the probe's modules are loaded once, and a reading costs milliseconds of a node's processor. It
also asks the kubelet, after NVML was shut down: a process that waits must not be a client of the driver.
"""

import multiprocessing
import os
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.context import ForkContext, ForkProcess
from typing import TYPE_CHECKING, NoReturn

from mig_fleet.foreign_text import printable
from mig_fleet.model.allocation import NOT_ASKED, NVML_INCOMPLETE
from mig_fleet.model.gpus import all_models
from mig_fleet.model.report import Report
from mig_fleet.model.report_grammar import LONGEST_TEXT
from mig_fleet.probe import nvml
from mig_fleet.probe.device_ids import with_mig_uuids

if TYPE_CHECKING:
    from mig_fleet.probe.pod_resources import Kubelet

TIMEOUT_S = 60.0
"""Seconds for one reading. NVML answers in milliseconds; if the driver hangs, the report states it."""

KILL_TIMEOUT_S = 5.0
"""Seconds to wait for a killed process. A process that hangs inside the driver does not end at all."""


class NvmlSubprocess:
    """Reads NVML on request, never in two processes at a time.

    With a ``kubelet`` a report has its allocations, too; with ``mig_uuids`` the UUIDs of MIG devices.
    """

    def __init__(
        self, timeout_s: float = TIMEOUT_S, *, kubelet: "Kubelet | None" = None, mig_uuids: bool = False
    ) -> None:
        self._timeout_s, self._asked = timeout_s, (kubelet, mig_uuids)
        self._context: ForkContext = multiprocessing.get_context("fork")
        self._stuck: ForkProcess | None = None
        all_models()  # loaded here once, not in each fork

    def read(self, node: str) -> Report:
        """What NVML reports. Each failure is an error in the report; none is raised."""
        if self._stuck is not None and self._stuck.is_alive():
            return failed(node, "an earlier reading of NVML still hangs in the driver; reboot the node")
        try:
            receiver, sender = self._context.Pipe(duplex=False)
            child = self._context.Process(target=_send_report, args=(sender, node, *self._asked), daemon=True)
            with receiver:
                with sender:
                    child.start()
                return self._receive(receiver, child, node)
        except OSError as exc:
            return failed(node, f"no process could be started to read NVML: {exc}")

    def _receive(self, receiver: Connection, child: ForkProcess, node: str) -> Report:
        try:
            if receiver.poll(self._timeout_s):
                report: Report = receiver.recv()
                return report
            return failed(node, f"reading NVML took longer than {self._timeout_s:g} s; the driver hangs")
        except EOFError:
            child.join(KILL_TIMEOUT_S)
            return failed(node, f"reading NVML ended with {_format_exit_code(child.exitcode)}")
        finally:
            child.kill()
            child.join(KILL_TIMEOUT_S)
            self._stuck = child if child.is_alive() else None


def exit_process(status: int) -> NoReturn:
    """End this process, even if a reading still hangs in the driver: Python would wait for it, and it never ends."""
    stuck = multiprocessing.active_children()
    if not stuck:
        sys.exit(status)
    for child in stuck:
        child.kill()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(status)


def failed(node: str, reason: str) -> Report:
    """A report with one error and no GPUs."""
    return Report(
        node=node,
        driver_version="",
        config=None,
        state=None,
        gpus=(),
        errors=(printable(reason, LONGEST_TEXT),),
        allocations_error=NVML_INCOMPLETE,
    )


def _read(node: str, kubelet: "Kubelet | None", mig_uuids: bool) -> Report:
    """What NVML reports, and what the kubelet allocated of it."""
    if kubelet is None and not mig_uuids:
        return replace(nvml.read(node), allocations_error=NOT_ASKED)
    report, devices = nvml.read_with_devices(node)
    if report.errors:
        return replace(report, allocations_error=NVML_INCOMPLETE if kubelet else NOT_ASKED)
    if mig_uuids and devices.error:
        report = replace(report, errors=(f"NVML did not list the MIG devices: {devices.error}",))
    elif mig_uuids:
        report = with_mig_uuids(report, devices)
    if kubelet is None:
        return replace(report, allocations_error=NOT_ASKED)
    try:
        allocations, why_not = kubelet.allocations(devices)
    except Exception as exc:
        # A bug in mig-fleet must not hide what NVML reports.
        allocations, why_not = None, f"asking the kubelet failed: {type(exc).__name__}: {exc}"
    return replace(report, allocations=allocations, allocations_error=why_not)


def _printable(report: Report) -> Report:
    """With the texts of the driver and of the kubelet as a report may have them."""
    return replace(
        report,
        driver_version=printable(report.driver_version, LONGEST_TEXT),
        gpus=tuple(replace(gpu, product=printable(gpu.product, LONGEST_TEXT)) for gpu in report.gpus),
        errors=tuple(printable(error, LONGEST_TEXT) for error in report.errors),
        allocations_error=printable(report.allocations_error, LONGEST_TEXT),
    )


def _send_report(sender: Connection, node: str, kubelet: "Kubelet | None", mig_uuids: bool) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # A program that reads the probe's output waits until each process that can write to it has closed it; a reading
    # that hangs never closes it.
    devnull = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(devnull, stream)
    try:
        report = _printable(_read(node, kubelet, mig_uuids))
    except Exception as exc:
        # A bug in mig-fleet or in the bindings: users look for it in the report.
        report = failed(node, f"reading NVML failed: {type(exc).__name__}: {exc}")
    sender.send(report)


def _format_exit_code(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"signal {-exit_code} ({signal.strsignal(-exit_code)})"
    return f"exit status {exit_code}"
