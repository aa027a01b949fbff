"""The probe's loop on a node: wait for a change or the interval, read NVML in another process, publish what changed.

NVML is not opened while MIG Manager works (``pending``, ``rebooting``). A reading during which the labels changed is
discarded: a published report belongs to exactly one config, state and attempt. The labels are known from a watch
(:mod:`mig_fleet.probe.node_events`); they are requested before a changed report is published, and before each reading
where the node cannot be watched.
"""

import secrets
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from mig_fleet.foreign_text import printable
from mig_fleet.model import labels
from mig_fleet.model.allocation import NOT_ASKED
from mig_fleet.model.report import Report
from mig_fleet.model.report_grammar import LONGEST_TEXT
from mig_fleet.probe.kubernetes import Api, ApiError
from mig_fleet.probe.log import log
from mig_fleet.probe.node_events import Key, NodeEvents, config_state_attempt
from mig_fleet.probe.nvml_subprocess import NvmlSubprocess, exit_process

if TYPE_CHECKING:
    from mig_fleet.probe.pod_resources import Kubelet

BUSY_INTERVAL_S = 2.0
"""Between two checks of a node that MIG Manager works on, or that changed while it was read, if it cannot be watched: a
whole wave waits for its last report."""
MAX_BACKOFF_S = 60.0
CONFIRM_S = 2.0
"""After a publication the next check publishes the same report again: the API server's times have whole seconds, so
only a later second shows that a pod of the same second is in it."""


class Nvml(Protocol):
    """Reads NVML; each failure is an error in the report."""

    def read(self, node: str) -> Report: ...


class Watch:
    """One node, its last published report, and the time of that publication."""

    def __init__(self, node: str, interval_s: float, heartbeat_s: float, nvml: Nvml) -> None:
        self._node, self._interval_s, self._heartbeat_s = node, interval_s, heartbeat_s
        self._api, self._nvml = Api(), nvml
        self._events = NodeEvents(self._api, node, interval_s)
        self._checked: Key | None = None
        self._published: Report | None = None
        self._published_at = 0.0
        self._is_confirmed = True

    def run(self) -> NoReturn:
        """Check the node forever: when it changes, and at each interval. A failure is logged, and the next check is
        tried after growing intervals.
        """
        failures = 0
        while True:
            is_busy = False
            try:
                is_busy, failures = self.check(), 0
            except ApiError as exc:
                failures += 1
                log(printable(exc, LONGEST_TEXT))
            except Exception as exc:
                failures += 1
                _log_bug(exc)
            pause_s = min(self._interval_s, BUSY_INTERVAL_S) if is_busy else next_interval_s(self._interval_s, failures)
            try:
                self._events.wait(pause_s, self._checked)
            except Exception as exc:
                _log_bug(exc)
                time.sleep(pause_s)

    def check(self) -> bool:
        """Read the node once. Publish the report if it changed, or the last one if a heartbeat is due.

        Returns whether the next check must be soon, because no event announces it. Raises ApiError.
        """
        node = self._events.node or self._request()
        self._checked = config_state_attempt(node)
        is_discarded = not self._publish_if_due(node)
        _, state, _ = self._checked
        return is_discarded or (state in labels.BUSY_STATES and self._events.node is None)

    def _publish_if_due(self, node: dict[str, Any]) -> bool:
        """Whether a reading belongs to exactly one config, state and attempt; also if there was none."""
        changes = self._events.changes
        read = self._read(node)
        is_valid = read is None or read == self._published or self._is_unchanged(node, changes)
        if not is_valid:
            read = None
        report, age_s = read or self._published, time.monotonic() - self._published_at
        confirms = read is not None and not self._is_confirmed and age_s >= CONFIRM_S
        if report is None or (report == self._published and age_s < self._heartbeat_s and not confirms):
            return is_valid
        self._api.publish(config_map(node, report))
        self._is_confirmed = report == self._published or report.allocations is None
        if report != self._published:
            unknown = [report.allocations_error] if report.allocations_error not in ("", NOT_ASKED) else []
            errors = "".join(f"; {error}" for error in (*report.errors, *unknown))
            log(f"published config {report.config!r}, state {report.state!r}, {len(report.gpus)} GPUs{errors}")
        self._published, self._published_at = report, time.monotonic()
        return is_valid

    def _read(self, node: dict[str, Any]) -> Report | None:
        """None while MIG Manager works."""
        config, state, attempt = config_state_attempt(node)
        if state in labels.BUSY_STATES:
            return None
        return replace(self._nvml.read(self._node), config=config, state=state, attempt=attempt)

    def _is_unchanged(self, node: dict[str, Any], changes: int) -> bool:
        """Whether the node has had one config, state and attempt since a reading began; the watch shows also what was
        changed and changed back.
        """
        return config_state_attempt(self._request()) == config_state_attempt(node) and self._events.changes == changes

    def _request(self) -> dict[str, Any]:
        node = self._api.node(self._node)
        self._events.confirm(node)
        return node


def watch(
    node: str, interval_s: float, heartbeat_s: float, kubelet: "Kubelet | None" = None, *, mig_uuids: bool = False
) -> NoReturn:
    """Publish the report of a node forever. With a ``kubelet`` its allocations are in the reports, with ``mig_uuids``
    the UUIDs of MIG devices.
    """
    # A container's first process does not receive a signal for which it has no handler.
    signal.signal(signal.SIGTERM, lambda *_: exit_process(0))
    Watch(node, interval_s, heartbeat_s, NvmlSubprocess(kubelet=kubelet, mig_uuids=mig_uuids)).run()


def next_interval_s(interval_s: float, failures: int) -> float:
    """Seconds until the next check: twice as long after each failure in a row, up to a minute."""
    return max(interval_s, min(interval_s * 2.0 ** min(failures, 16), MAX_BACKOFF_S))


def _log_bug(exc: Exception) -> None:
    """A crash loop would hide the error."""
    log(f"{type(exc).__name__}: {printable(exc)}; this is a bug in mig-fleet, please report it")


def config_map(node: dict[str, Any], report: Report) -> dict[str, Any]:
    """The ConfigMap that publishes a report. The node owns it, so Kubernetes deletes it with the node.

    Its heartbeat has a new value each time: the API server stamps only a changed object with its own clock
    (``metadata.managedFields``).
    """
    name, uid = node["metadata"]["name"], node["metadata"]["uid"]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": labels.REPORT_PREFIX + name,
            "labels": {labels.REPORT_LABEL: "true", "app.kubernetes.io/managed-by": labels.PROBE},
            "annotations": {labels.HEARTBEAT: secrets.token_hex(4)},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}],
        },
        "data": {labels.REPORT_KEY: report.to_json()},
    }
