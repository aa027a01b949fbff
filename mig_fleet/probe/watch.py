"""The probe's loop on a node: read the labels, read NVML in another process, read the labels again, publish changes.

NVML is not opened while MIG Manager works (``pending``, ``rebooting``). A reading during which the labels changed is
discarded: a published report belongs to exactly one config and state.
"""

import secrets
import signal
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from mig_fleet.foreign_text import printable
from mig_fleet.model import labels
from mig_fleet.model.allocation import NOT_ASKED
from mig_fleet.model.report import Report
from mig_fleet.model.report_grammar import LONGEST_TEXT
from mig_fleet.probe.kubernetes import Api, ApiError
from mig_fleet.probe.nvml_subprocess import NvmlSubprocess, exit_process

if TYPE_CHECKING:
    from mig_fleet.probe.pod_resources import Kubelet

BUSY_INTERVAL_S = 2.0
"""Between two checks of the labels of a node that MIG Manager works on: a whole wave waits for its last report."""
MAX_BACKOFF_S = 60.0
CONFIRM_S = 2.0
"""After a publication the next check publishes the same report again: the API server's times have whole seconds, so
only a later second shows that a pod of the same second is in it."""


class Watch:
    """One node, its last published report, and the time of that publication."""

    def __init__(self, node: str, heartbeat_s: float, kubelet: "Kubelet | None" = None) -> None:
        self._node, self._heartbeat_s = node, heartbeat_s
        self._api, self._nvml = Api(), NvmlSubprocess(kubelet=kubelet)
        self._published: Report | None = None
        self._published_at = 0.0
        self._is_confirmed = True

    def check(self) -> bool:
        """Read the node once. Publish the report if it changed, or the last one if a heartbeat is due.

        Returns whether MIG Manager is at work. Raises ApiError.
        """
        node = self._api.node(self._node)
        self._publish_if_due(node)
        _, state, _ = config_state_attempt(node)
        return state in labels.BUSY_STATES

    def _publish_if_due(self, node: dict[str, Any]) -> None:
        read = self._read(node)
        report, age_s = read or self._published, time.monotonic() - self._published_at
        confirms = read is not None and not self._is_confirmed and age_s >= CONFIRM_S
        if report is None or (report == self._published and age_s < self._heartbeat_s and not confirms):
            return
        self._api.publish(config_map(node, report))
        self._is_confirmed = report == self._published or report.allocations is None
        if report != self._published:
            unknown = [report.allocations_error] if report.allocations_error not in ("", NOT_ASKED) else []
            errors = "".join(f"; {error}" for error in (*report.errors, *unknown))
            log(f"published config {report.config!r}, state {report.state!r}, {len(report.gpus)} GPUs{errors}")
        self._published, self._published_at = report, time.monotonic()

    def _read(self, node: dict[str, Any]) -> Report | None:
        """A report of exactly one config, state and attempt; None while they change."""
        before = config, state, attempt = config_state_attempt(node)
        if state in labels.BUSY_STATES:
            return None
        report = replace(self._nvml.read(self._node), config=config, state=state, attempt=attempt)
        return report if config_state_attempt(self._api.node(self._node)) == before else None


def watch(node: str, interval_s: float, heartbeat_s: float, kubelet: "Kubelet | None" = None) -> NoReturn:
    """Check the node forever. A failure is logged, and the next check is tried after growing intervals.

    With a ``kubelet`` its allocations are in the reports.
    """
    # A container's first process does not receive a signal for which it has no handler.
    signal.signal(signal.SIGTERM, lambda *_: exit_process(0))
    node_watch = Watch(node, heartbeat_s, kubelet)
    failures = 0
    while True:
        try:
            is_busy, failures = node_watch.check(), 0
        except ApiError as exc:
            is_busy, failures = False, failures + 1
            log(printable(exc, LONGEST_TEXT))
        except Exception as exc:
            # Log and continue: a crash loop would hide the error.
            is_busy, failures = False, failures + 1
            log(f"{type(exc).__name__}: {printable(exc)}; this is a bug in mig-fleet, please report it")
        time.sleep(min(interval_s, BUSY_INTERVAL_S) if is_busy else next_interval_s(interval_s, failures))


def next_interval_s(interval_s: float, failures: int) -> float:
    """Seconds until the next check: twice as long after each failure in a row, up to a minute."""
    return max(interval_s, min(interval_s * 2.0 ** min(failures, 16), MAX_BACKOFF_S))


def log(text: str) -> None:
    print(f"mig-probe: {text}", file=sys.stderr, flush=True)


def config_state_attempt(node: dict[str, Any]) -> tuple[str | None, str | None, str | None]:
    """Config, state and attempt in the labels and annotations of a node."""
    found, notes = node["metadata"].get("labels") or {}, node["metadata"].get("annotations") or {}
    attempt = notes.get(labels.ATTEMPT)
    return found.get(labels.CONFIG), found.get(labels.STATE), attempt and printable(attempt, LONGEST_TEXT)


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
