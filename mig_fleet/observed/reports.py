"""What the probes wrote, and how long ago by the API server's own clock.

No other clock is asked: a node's may be wrong, and so may the one of the machine that runs the update. The API server
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
from mig_fleet.model.report import VERSION, Gpu, Instance, Report, instances_from_json
from mig_fleet.observed.objects import ConfigMapObjects, Metadata

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
    items = cluster.read(f"/api/v1/namespaces/{namespace}/configmaps", ConfigMapObjects, query).items
    now = cluster.server_time
    found: dict[str, Heard] = {}
    for item in items:
        report = _report((item.data or {}).get(labels.REPORT_KEY, ""))
        # A report speaks for the node it is named after: that is what the API server lets its probe write.
        if report is not None and item.metadata.name == labels.REPORT_PREFIX + report.node:
            written = written_at(item.metadata)
            age = None if now is None or written is None else (now - written).total_seconds()
            found[report.node] = Heard(report, age if age is None else max(age, 0.0))
    return found


def written_at(metadata: Metadata) -> datetime | None:
    """When the probe last wrote the object; when it was made, where the probe is not known to have written it since."""
    entries = metadata.managed_fields or ()
    times = [entry.time for entry in entries if entry.manager == labels.PROBE and entry.time]
    # Times in one format and zone sort as text.
    latest = max(times, default=metadata.creation_timestamp)
    return None if latest is None else datetime.fromisoformat(latest)


@lru_cache(maxsize=REMEMBERED)
def _report(text: str) -> Report | None:
    try:
        return _quickly(text)
    except (msgspec.DecodeError, InvalidReport, RecursionError, UnicodeEncodeError):
        pass  # whether it is a report all the same, the strict reader decides
    try:
        return Report.from_json(text)
    except InvalidReport:
        return None


# A look at a thousand nodes reads a thousand reports, of slices that are the same everywhere: the slices of a GPU are
# read once for each text there is of them, which is a tenth of the work.

_Natural = Annotated[int, msgspec.Meta(ge=0)]
_STRICT: dict[Any, Any] = {int: _Natural, int | None: _Natural | None}


def _shape(kind: type, **instead: Any) -> Any:
    """A report's dataclass for the decoder: every key, no other, no number below zero."""
    strict = {name: _STRICT.get(hint, hint) for name, hint in get_type_hints(kind).items()}
    return msgspec.defstruct(kind.__name__, list({**strict, **instead}.items()), forbid_unknown_fields=True)


_GPU: Any = _shape(Gpu, instances=msgspec.Raw)
_REPORT: Any = msgspec.json.Decoder(_shape(Report, gpus=tuple[_GPU, ...], version=Literal[VERSION]))

_instances = lru_cache(maxsize=8192)(instances_from_json)


def _quickly(text: str) -> Report:
    found = msgspec.structs.asdict(_REPORT.decode(text))
    del found["version"]
    return Report(**{**found, "gpus": tuple(map(_gpu, found["gpus"]))})


def _gpu(found: Any) -> Gpu:
    instances: tuple[Instance, ...] = _instances(bytes(found.instances))
    return Gpu(**{**msgspec.structs.asdict(found), "instances": instances})
