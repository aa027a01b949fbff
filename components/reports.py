"""What the probes wrote, and how long ago by the API server's own clock.

No other clock is asked: a node's may be wrong, and so may the one of the machine that runs the update. The API server
stamps each write of a probe (``metadata.managedFields``) and dates each of its answers.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from components.cluster import Cluster, Json
from mig import labels
from mig.errors import InvalidReport
from mig.report import Report

REMEMBERED = 2048
"""Texts of reports that are not read twice: a fleet that is looked at each second says mostly the same."""


@dataclass(frozen=True)
class Heard:
    """A node's report, and seconds since its probe was last heard; ``None`` where the server tells no time."""

    report: Report
    silent_s: float | None


def heard(cluster: Cluster, namespace: str) -> dict[str, Heard]:
    """By node, in one LIST; unreadable reports are left out, as if not yet written."""
    query = {"labelSelector": f"{labels.REPORT_LABEL}=true"}
    items: list[Json] = cluster.get(f"/api/v1/namespaces/{namespace}/configmaps", query)["items"]
    now = cluster.server_time
    found: dict[str, Heard] = {}
    for item in items:
        report = _report((item.get("data") or {}).get(labels.REPORT_KEY, ""))
        # A report speaks for the node it is named after: that is what the API server lets its probe write.
        if report is not None and item["metadata"]["name"] == labels.REPORT_PREFIX + report.node:
            age = None if now is None else (now - written_at(item["metadata"])).total_seconds()
            found[report.node] = Heard(report, age if age is None else max(age, 0.0))
    return found


def written_at(metadata: Json) -> datetime:
    """When the probe last wrote the object; when it was made, where the probe is not known to have written it since."""
    entries: Iterable[Json] = metadata.get("managedFields") or ()
    times = [entry["time"] for entry in entries if entry.get("manager") == labels.PROBE and "time" in entry]
    # Times in one format and zone sort as text.
    return datetime.fromisoformat(max(times, default=metadata["creationTimestamp"]))


@lru_cache(maxsize=REMEMBERED)
def _report(text: str) -> Report | None:
    try:
        return Report.from_json(text)
    except InvalidReport:
        return None
