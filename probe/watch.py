"""The probe's life on a node: labels, NVML in a process of its own, labels again; publish what changed.

NVML stays closed while MIG Manager works (``pending``, ``rebooting``), and a reading during which the labels moved is
thrown away: what is published belongs to exactly one config and state.
"""

import json
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

from mig import labels
from mig.errors import InvalidReport
from mig.report import Report
from probe.kubernetes import Api, ApiError

BUSY = ("pending", "rebooting")
READ_TIMEOUT_S = 60
"""NVML answers in milliseconds; a driver that hangs shall end in the report and not in a silent probe."""


def watch(node: str, interval_s: float) -> None:
    """Never returns; what goes wrong is printed and, where there is something to say it with, published."""
    api = Api()
    published: str | None = None
    while True:
        try:
            published = once(api, node, published)
        except ApiError as exc:
            print(f"mig-probe: {exc}", file=sys.stderr, flush=True)
        time.sleep(interval_s)


def once(api: Api, node: str, published: str | None) -> str | None:
    """One round; returns the text that is now published."""
    before = api.node(node)
    config, state, attempt = seen(before)
    if state in BUSY:
        return published
    report = replace(read_in_own_process(node), config=config, state=state, attempt=attempt)
    if seen(api.node(node)) != (config, state, attempt):
        return published
    text = report.to_json()
    if text != published:
        api.publish(_config_map(before, text))
        print(f"mig-probe: published config {config!r}, state {state!r}, {len(report.gpus)} GPUs", flush=True)
    return text


def read_in_own_process(node: str) -> Report:
    """Run ``read`` of this very program; whatever goes wrong there becomes an error in the report."""
    command = [sys.executable, "-I", sys.argv[0], "read", "--node", node]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=READ_TIMEOUT_S, check=False)
        return Report.from_json(done.stdout)
    except subprocess.TimeoutExpired:
        return failed(node, f"reading NVML took longer than {READ_TIMEOUT_S} s; the driver hangs")
    except InvalidReport:
        last = (done.stderr.strip() or "no output").splitlines()[-1]
        return failed(node, f"reading NVML ended with exit status {done.returncode}: {last}")


def failed(node: str, reason: str) -> Report:
    """A report of nothing but the reason why there is none."""
    return Report(node=node, driver_version="", config=None, state=None, gpus=(), errors=(reason,))


def seen(node: dict[str, Any]) -> tuple[str | None, str | None, str | None]:
    """Config, state and attempt, as the node's labels and annotations say at this moment."""
    found, notes = node["metadata"].get("labels") or {}, node["metadata"].get("annotations") or {}
    return found.get(labels.CONFIG), found.get(labels.STATE), notes.get(labels.ATTEMPT)


def _config_map(node: dict[str, Any], text: str) -> dict[str, Any]:
    """Owned by the node, so that a node that leaves takes its report along."""
    name, uid = node["metadata"]["name"], node["metadata"]["uid"]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": labels.REPORT_PREFIX + name,
            "labels": {labels.REPORT_LABEL: "true", "app.kubernetes.io/managed-by": "mig-probe"},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}],
        },
        "data": {labels.REPORT_KEY: json.dumps(json.loads(text), indent=1, sort_keys=True)},
    }
