"""The probes' reports, and their age by the API server's own clock.

No other clock is used: a node's may be wrong, and so may that of the machine that runs the update. The API server
stamps each write of a probe (``metadata.managedFields``) and dates each of its answers.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Literal, get_type_hints

import msgspec

from mig_fleet.cluster.client import Cluster
from mig_fleet.model import labels
from mig_fleet.model.errors import InvalidReport
from mig_fleet.model.report import VERSION, Allocation, Gpu, Instance, Report, instances_from_json
from mig_fleet.observed.objects import ConfigMapObjects, Metadata

CACHED_REPORTS = 2048
"""Report texts that are not parsed twice: most reports do not change between two reads."""


@dataclass(frozen=True)
class ReceivedReport:
    """A node's report and the seconds since its probe last wrote; ``None`` if the server sends no time."""

    report: Report
    age_s: float | None
    written: datetime | None = None
    """When its probe last wrote it, by the API server's clock, in whole seconds."""


def read_reports(cluster: Cluster, namespace: str) -> dict[str, ReceivedReport]:
    """By node, in one LIST; an unreadable report counts as not written yet."""
    query = {"labelSelector": f"{labels.REPORT_LABEL}=true"}
    items = cluster.read(f"/api/v1/namespaces/{namespace}/configmaps", ConfigMapObjects, query).items
    now = cluster.server_time
    found: dict[str, ReceivedReport] = {}
    for item in items:
        report = _parse((item.data or {}).get(labels.REPORT_KEY, ""))
        # A report counts only for the node in its ConfigMap's name: the API server lets a probe write no other.
        if report is not None and item.metadata.name == labels.REPORT_PREFIX + report.node:
            written = written_at(item.metadata)
            age = None if now is None or written is None else max(0.0, (now - written).total_seconds())
            found[report.node] = ReceivedReport(report, age, written)
    return found


def written_at(metadata: Metadata) -> datetime | None:
    """When the probe last wrote the object; its creation time if no write of the probe is recorded."""
    entries = metadata.managed_fields or ()
    times = [entry.time for entry in entries if entry.manager == labels.PROBE and entry.time]
    # Times in one format and zone sort as text.
    latest = max(times, default=metadata.creation_timestamp)
    return None if latest is None else datetime.fromisoformat(latest)


@lru_cache(maxsize=CACHED_REPORTS)
def _parse(text: str) -> Report | None:
    try:
        return _decode(text)
    except (msgspec.DecodeError, InvalidReport, RecursionError, UnicodeEncodeError):
        pass  # the strict reader below decides whether it is a report
    try:
        return Report.from_json(text)
    except InvalidReport:
        return None


# A snapshot of a thousand nodes holds a thousand reports with few different instance lists: each distinct text of an
# instance list is parsed once, which takes a tenth of the time.

_Natural = Annotated[int, msgspec.Meta(ge=0)]
_STRICT: dict[Any, Any] = {int: _Natural, int | None: _Natural | None}


def _shape(kind: type, **overrides: Any) -> Any:
    """A report's dataclass as a decoder shape: every key, no other key, no negative number.

    An override is a type, or a type and the default of a key that may be missing.
    """
    strict = {name: _STRICT.get(hint, hint) for name, hint in get_type_hints(kind).items()}
    fields = [(name, *hint) if isinstance(hint, tuple) else (name, hint) for name, hint in (strict | overrides).items()]
    return msgspec.defstruct(kind.__name__, fields, forbid_unknown_fields=True, kw_only=True)


_GPU: Any = _shape(Gpu, instances=msgspec.Raw)
_ALLOCATION: Any = _shape(Allocation)
_OPTIONAL = {
    "allocations": (tuple[_ALLOCATION, ...] | None, None),
    "allocations_error": (str, ""),
}
"""Keys that reports of older probes lack, with their default."""
_REPORT: Any = msgspec.json.Decoder(_shape(Report, gpus=tuple[_GPU, ...], version=Literal[VERSION], **_OPTIONAL))

_instances = lru_cache(maxsize=8192)(instances_from_json)


def _decode(text: str) -> Report:
    found = msgspec.structs.asdict(_REPORT.decode(text))
    del found["version"]
    gpus, allocations = tuple(map(_gpu, found.pop("gpus"))), found.pop("allocations")
    return Report(gpus=gpus, allocations=allocations and tuple(map(_allocation, allocations)), **found)


def _allocation(found: Any) -> Allocation:
    return Allocation(**msgspec.structs.asdict(found))


def _gpu(found: Any) -> Gpu:
    instances: tuple[Instance, ...] = _instances(bytes(found.instances))
    return Gpu(**{**msgspec.structs.asdict(found), "instances": instances})
