"""The probe's life on a node: labels, NVML in a process of its own, labels again; publish what changed.

NVML stays closed while MIG Manager works (``pending``, ``rebooting``), and a reading during which the labels moved is
thrown away: what is published belongs to exactly one config and state.
"""

import secrets
import signal
import sys
import time
from dataclasses import replace
from typing import Any

from mig_fleet.model import labels
from mig_fleet.model.report import Report
from mig_fleet.probe.apart import Apart, leave
from mig_fleet.probe.kubernetes import Api, ApiError

BUSY = ("pending", "rebooting")
MOST_BACKOFF_S = 60.0
BUSY_PAUSE_S = 2.0
"""Until the next look at the labels of a node that is being cut: a whole wave waits for the last report."""


class Watch:
    """One node, its last report, and when it was last heard of."""

    def __init__(self, node: str, heartbeat_s: float) -> None:
        self._node, self._heartbeat_s = node, heartbeat_s
        self._api, self._nvml = Api(), Apart()
        self._published: Report | None = None
        self._heard_at = 0.0

    def round(self) -> bool:
        """Look once, and publish what changed, or what was said before when a heartbeat is due; whether MIG Manager is
        at work. Raises ApiError.
        """
        node = self._api.node(self._node)
        self._say(node)
        return seen(node)[1] in BUSY

    def _say(self, node: dict[str, Any]) -> None:
        report = self._look(node) or self._published
        due = time.monotonic() - self._heard_at >= self._heartbeat_s
        if report is None or (report == self._published and not due):
            return
        self._api.publish(config_map(node, report))
        if report != self._published:
            errors = "".join(f"; {error}" for error in report.errors)
            say(f"published config {report.config!r}, state {report.state!r}, {len(report.gpus)} GPUs{errors}")
        self._published, self._heard_at = report, time.monotonic()

    def _look(self, node: dict[str, Any]) -> Report | None:
        """A report of exactly one config, state and attempt; ``None`` while they move."""
        before = config, state, attempt = seen(node)
        if state in BUSY:
            return None
        report = replace(self._nvml.read(self._node), config=config, state=state, attempt=attempt)
        return report if seen(self._api.node(self._node)) == before else None


def watch(node: str, interval_s: float, heartbeat_s: float) -> None:
    """Never returns, whatever happens; what goes wrong is printed, and tried again at growing intervals."""
    # As a container's first process it would not even hear of a signal that it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(leave(0)))
    life = Watch(node, heartbeat_s)
    failures = 0
    while True:
        try:
            busy, failures = life.round(), 0
        except ApiError as exc:
            busy, failures = False, failures + 1
            say(str(exc))
        except Exception as exc:
            # Nobody is helped by a probe that crashes in a loop.
            busy, failures = False, failures + 1
            say(f"{type(exc).__name__}: {exc}; this is a bug in mig-fleet, please report it")
        time.sleep(min(interval_s, BUSY_PAUSE_S) if busy else pause(interval_s, failures))


def pause(interval_s: float, failures: int) -> float:
    """Seconds until the next round: twice as long after each failure in a row, up to a minute."""
    return max(interval_s, min(interval_s * 2.0 ** min(failures, 16), MOST_BACKOFF_S))


def say(text: str) -> None:
    print(f"mig-probe: {text}", file=sys.stderr, flush=True)


def seen(node: dict[str, Any]) -> tuple[str | None, str | None, str | None]:
    """Config, state and attempt, as the node's labels and annotations say at this moment."""
    found, notes = node["metadata"].get("labels") or {}, node["metadata"].get("annotations") or {}
    return found.get(labels.CONFIG), found.get(labels.STATE), notes.get(labels.ATTEMPT)


def config_map(node: dict[str, Any], report: Report) -> dict[str, Any]:
    """Owned by the node, so that a node that leaves takes its report along; different each time, so that the API server
    stamps it with its own clock (``metadata.managedFields``).
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
