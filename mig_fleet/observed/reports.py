"""The probes' reports, and their age by the API server's own clock.

No other clock is used: a node's may be wrong, and so may that of the machine that runs the update. The API server
stamps each write of a probe (``metadata.managedFields``) and dates each of its answers.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import UNSET, UnsetType

from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.times import parse_time
from mig_fleet.foreign_text import printable
from mig_fleet.model import labels
from mig_fleet.model.errors import InvalidReport
from mig_fleet.model.report import READABLE, Allocation, Gpu, Report, instances_from_json
from mig_fleet.model.report_grammar import GRAMMARS, LARGEST, LONGEST_TEXT
from mig_fleet.observed.objects import ConfigMapObject, Metadata

CACHED_REPORTS = 2048
"""Report texts that are not parsed twice: most reports do not change between two reads."""


@dataclass(frozen=True)
class ReceivedReport:
    """A node's report and the seconds since its probe last wrote; ``None`` if the server sends no time."""

    report: Report | None
    age_s: float | None = None
    written: datetime | None = None
    """When its probe last wrote it, by the API server's clock, in whole seconds."""
    unreadable: str = ""
    """Why there is no report, although the node's probe wrote one."""
    is_blocked: bool = False
    """Whether the API server refuses each write of the probe, until a user deletes the ConfigMap."""


REPORTS_QUERY = {"labelSelector": f"{labels.REPORT_LABEL}=true"}


def reports_path(namespace: str) -> str:
    """Of the collection that has the reports."""
    return f"/api/v1/namespaces/{namespace}/configmaps"


def read_reports(
    cluster: Cluster, namespace: str, before_parsing: Callable[[], object] = lambda: None
) -> dict[str, ReceivedReport]:
    """By node, in one LIST. A report that cannot be read is its node's, and hides no other one.

    ``before_parsing`` may wait for what another thread receives: while this one computes, that one would wait 5 ms for
    its turn after every 16 KB.
    """
    items, malformed = cluster.read_items(reports_path(namespace), ConfigMapObject, REPORTS_QUERY)
    now = cluster.server_time
    before_parsing()
    by_name = {name: ReceivedReport(None, unreadable=f"its ConfigMap: {why}") for name, why in malformed.items()}
    by_name |= {item.metadata.name: receive(item, namespace, now) for item in items}
    # A report counts only for the node in its ConfigMap's name: the API server lets a probe write no other.
    prefix = labels.REPORT_PREFIX
    return {name.removeprefix(prefix): it for name, it in by_name.items() if name.startswith(prefix)}


def node_of(item: ConfigMapObject) -> str:
    """The node of a report's ConfigMap; a report counts for no other one."""
    return item.metadata.name.removeprefix(labels.REPORT_PREFIX)


def receive(item: ConfigMapObject, namespace: str, now: datetime | None) -> ReceivedReport:
    """The report in a ConfigMap; ``now`` is the API server's clock."""
    return _blocked(item, namespace) or _received(item, now)


def _blocked(item: ConfigMapObject, namespace: str) -> ReceivedReport | None:
    """A ConfigMap of another user that no probe can write: a key is either in ``data`` or in ``binaryData``, and an
    immutable one never changes (kubernetes v1.37.2, ValidateConfigMap and ValidateConfigMapUpdate).
    """
    if labels.REPORT_KEY in (item.binary_data or {}):
        what = f"has {labels.REPORT_KEY} in binaryData"
    elif item.immutable:
        what = "is immutable"
    else:
        return None
    name = printable(item.metadata.name)
    remedy = f"delete it, its probe creates it again: kubectl -n {namespace} delete configmap {name}"
    return ReceivedReport(
        None, unreadable=f"ConfigMap {namespace}/{name} {what}, so no probe can write it; {remedy}", is_blocked=True
    )


def _received(item: ConfigMapObject, now: datetime | None) -> ReceivedReport:
    try:
        report = _parse((item.data or {}).get(labels.REPORT_KEY, ""))
        written = written_at(item.metadata)
    except InvalidReport as exc:
        return ReceivedReport(None, unreadable=printable(exc))
    if item.metadata.name != labels.REPORT_PREFIX + report.node:
        return ReceivedReport(None, unreadable=f"it is about node {printable(report.node)!r}")
    age = None if now is None or written is None else max(0.0, (now - written).total_seconds())
    return ReceivedReport(report, age, written)


def written_at(metadata: Metadata) -> datetime | None:
    """When the probe last wrote the object; its creation time if no write of the probe is recorded. Raises
    InvalidReport for a text that is no time.
    """
    entries = metadata.managed_fields or ()
    times = [entry.time for entry in entries if entry.manager == labels.PROBE and entry.time]
    # Times in one format and zone sort as text.
    latest = max(times, default=metadata.creation_timestamp)
    written = parse_time(latest)
    if latest is not None and written is None:
        raise InvalidReport("", f"it was written at {printable(latest, 40)!r}, which is not a time with a zone")
    return written


@lru_cache(maxsize=CACHED_REPORTS)
def _parse(text: str) -> Report:
    if not _is_plain(text):
        return Report.from_json(text)
    try:
        return _decode(text)
    except (msgspec.DecodeError, InvalidReport, RecursionError, UnicodeEncodeError):
        return Report.from_json(text)


_PLAIN = bytes(range(ord(" "), ord("~") + 1)).replace(b"\\", b"")


def _is_plain(text: str) -> bool:
    """Whether it is printable ASCII without escapes, as a probe writes it; then each text in it is, too. Of any other
    one the strict reader decides whether it is a report.
    """
    return text.isascii() and not text.encode().translate(None, _PLAIN)


# A snapshot of a thousand nodes holds a thousand reports with few different instance lists: each distinct text of an
# instance list is parsed once, which takes a tenth of the time.

_Natural = Annotated[int, msgspec.Meta(ge=0, le=LARGEST)]
_Ascii = Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)]
"""Printable, as :func:`_is_plain` has checked all of the report at once."""
_Texts = tuple[_Ascii, ...] | None
_STRICT: dict[Any, Any] = {
    int: _Natural,
    int | None: _Natural | None,
    str: _Ascii,
    str | None: _Ascii | None,
    tuple[str, ...]: tuple[_Ascii, ...],
}
_OF_KEY = {key: Annotated[str, msgspec.Meta(pattern=rf"\A(?:{it.pattern})\Z")] for key, it in GRAMMARS.items()}


def _shape(kind: type, **overrides: Any) -> Any:
    """A report's dataclass as a decoder shape: every key, no other key, and the report's grammar.

    An override is a type, or a type and the default of a key that may be missing.
    """
    found = (_strict(kind) | overrides).items()
    keys = [(name, *hint) if isinstance(hint, tuple) else (name, hint) for name, hint in found]
    return msgspec.defstruct(kind.__name__, keys, forbid_unknown_fields=True, kw_only=True)


def _strict(kind: type) -> dict[str, Any]:
    return {name: _OF_KEY.get(name) or _STRICT.get(hint, hint) for name, hint in get_type_hints(kind).items()}


_ALLOCATION: Any = _shape(Allocation)
_OPTIONAL = {
    "allocations": (tuple[_ALLOCATION, ...] | None, None),
    "allocations_error": (_Ascii, ""),
}
"""Keys that reports of older probes lack, with their default."""
_OF_EACH = ("index", "uuid")
"""Keys of every GPU; a GPU has ``like``, too, or all the others."""
_OF_FIRST = tuple(each.name for each in fields(Gpu) if each.name not in _OF_EACH)
_MISSING = (UNSET,) * len(_OF_FIRST)
_GPU: Any = _shape(
    Gpu,
    instances=(msgspec.Raw | UnsetType, UNSET),
    like=(_Natural | UnsetType, UNSET),
    **{name: (hint | UnsetType, UNSET) for name, hint in _strict(Gpu).items() if name not in (*_OF_EACH, "instances")},
)
_REPORT: Any = msgspec.json.Decoder(_shape(Report, gpus=tuple[_GPU, ...], version=Literal[READABLE], **_OPTIONAL))
"""One decoder for all of a report: a call for each GPU would double the time."""

_of_first = attrgetter(*_OF_FIRST)
_INSTANCES = _OF_FIRST.index("instances")
_instances = lru_cache(maxsize=8192)(instances_from_json)


def _decode(text: str) -> Report:
    """Anything unusual raises: then the strict reader decides."""
    found = msgspec.structs.asdict(_REPORT.decode(text))
    del found["version"]
    gpus, allocations = tuple(_gpus(found.pop("gpus"))), found.pop("allocations")
    return Report(gpus=gpus, allocations=allocations and tuple(map(_allocation, allocations)), **found)


def _allocation(found: Any) -> Allocation:
    return Allocation(**msgspec.structs.asdict(found))


def _gpus(found: Iterable[Any]) -> Iterator[Gpu]:
    """Each with its own values, or with those of the earlier GPU that it is like."""
    earlier: dict[int, tuple[Any, ...]] = {}
    for each in found:
        own = _of_first(each)
        if each.like is UNSET:
            values = _complete(own)
        elif own == _MISSING and each.like in earlier:
            values = earlier[each.like]
        else:
            raise InvalidReport("like", f"found {each.like}")
        earlier[each.index] = values
        yield Gpu(each.index, each.uuid, *values)


def _complete(own: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values of a GPU that is written in full; the probe may not know the names of its profiles."""
    *known, names = own
    if UNSET in known:
        raise InvalidReport("gpus", "a key is missing")
    known[_INSTANCES] = _instances(bytes(known[_INSTANCES]))
    return *known, None if names is UNSET else names
