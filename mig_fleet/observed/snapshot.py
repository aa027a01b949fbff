"""The fleet at one moment, in two LISTs (three with DRA), shared by everything that reads it in one run.

The provider process needs it for every wave in every preview. A snapshot is cached for :data:`LIFETIME_S` and dropped
by each of our writes; a failed one is cached too, or an unreachable cluster would cost one timeout per wave.
"""

import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime

from mig_fleet.cluster.client import Cluster, ClusterArgs, ClusterError
from mig_fleet.cluster.quantities import RIGHT, parse_count
from mig_fleet.foreign_text import printable
from mig_fleet.model import labels
from mig_fleet.model.numbers import parse_natural
from mig_fleet.model.report import Report
from mig_fleet.model.report_grammar import LONGEST_TEXT
from mig_fleet.observed.dra.resource_slices import Publication, ResourceSlices
from mig_fleet.observed.label_writer import config_writer
from mig_fleet.observed.objects import NodeObject, Taint
from mig_fleet.observed.probe_health import Probes, Problem
from mig_fleet.observed.reports import ReceivedReport, read_reports

NODES = "/api/v1/nodes"

OURS = "mig-fleet.dev/"
"""Prefix of our annotations; no others are read."""

LIFETIME_S = 30.0
"""Seconds; longer than a preview of a large fleet, so that each run reads once. A wait for a change reads again."""


def attempt_of(annotations: Mapping[str, str]) -> str | None:
    """The attempt as a report repeats it; ``None`` if there is none."""
    found = annotations.get(labels.ATTEMPT)
    return None if found is None else printable(found, LONGEST_TEXT)


@dataclass(frozen=True)
class Node:
    """One node: labels, annotations, allocatable resources, and its probe's report if there is one."""

    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    """Ours, ``mig-fleet.dev/…``. A kubelet may write those of its own node."""
    allocatable: Mapping[str, int]
    """Extended resources under ``nvidia.com/``, in slices or GPUs; those that the kubelet keeps at 0 are left out."""
    report: Report | None
    ready: bool = True
    """Whether the condition ``Ready`` is true; on a node that is not Ready, pods can be neither started nor stopped."""
    taints: frozenset[str] = frozenset()
    """The keys of its taints."""
    full_taints: tuple[Taint, ...] = ()
    """Its taints with value and effect, as the scheduler compares them."""
    cordoned: bool = False
    """Whether it is unschedulable, by us or by another client."""
    config_writer: str = ""
    """The field manager that wrote the config label last; empty if that is not recorded."""
    report_age_s: float | None = None
    """Seconds since its probe last wrote, by the API server's clock; ``None`` if that is unknown."""
    report_written: datetime | None = None
    """When that was, by the same clock, in whole seconds."""
    uid: str = ""
    """Distinguishes it from an earlier or later node of its name."""
    malformed: str = ""
    """Why nothing but its name could be read; such a node counts as not Ready."""
    unreadable: tuple[str, ...] = ()
    """Its values that could not be read, each with what is right."""
    unreadable_report: str = ""
    """Why :attr:`report` is missing although its probe wrote one."""
    is_report_blocked: bool = False
    """Whether its probe cannot write a report until a user deletes the ConfigMap."""
    published: Publication | None = None
    """What NVIDIA's DRA driver has published for it; ``None`` where that is not read."""

    @property
    def config(self) -> str:
        return self.labels.get(labels.CONFIG, "")

    @property
    def state(self) -> str:
        return self.labels.get(labels.STATE, "")

    @property
    def paused_operands(self) -> tuple[str, ...]:
        """The operands that MIG Manager has paused for a change, by the last part of their deploy labels."""
        paused = (key for key, value in self.labels.items() if value == labels.PAUSED)
        return tuple(sorted(k.removeprefix(labels.DEPLOY_PREFIX) for k in paused if k.startswith(labels.DEPLOY_PREFIX)))

    @property
    def attempt(self) -> str | None:
        """The number of our last write; a report that names an earlier one is stale."""
        return attempt_of(self.annotations)

    @property
    def next_attempt(self) -> str:
        """A number that neither the node nor its report has; what is no number counts as 0."""
        known = (self.attempt, self.report.attempt if self.report else None)
        return str(1 + max(parse_natural(text or "") or 0 for text in known))

    @property
    def has_current_report(self) -> bool:
        """Whether the probe has reported since MIG Manager wrote its present state."""
        report = self.report
        return report is not None and (report.attempt, report.state) == (self.attempt, self.state)

    @property
    def is_cordoned_by_us(self) -> bool:
        return self.cordoned and self.annotations.get(labels.CORDONED) == "true"

    @property
    def isolated(self) -> bool:
        """Whether one of our taints, or our cordon, keeps new pods off it."""
        return bool(self.taints & set(labels.OUR_TAINTS)) or self.is_cordoned_by_us


@dataclass(frozen=True)
class Snapshot:
    """The fleet at one moment."""

    nodes: Mapping[str, Node] = field(default_factory=dict)
    probes: Probes | None = field(default=None, compare=False)
    """Reads why probes do not report, if that is needed."""
    resource_slices: ResourceSlices | None = field(default=None, compare=False)
    """Of NVIDIA's DRA driver; ``None`` where they are not read."""

    def blocked_probes(self, names: Iterable[str]) -> dict[str, Problem]:
        """Node → the problem of a probe that cannot write its report; the report's own text says why."""
        return {name: Problem("", is_final=True) for name in names if self.nodes[name].is_report_blocked}

    def probe_problems(self, names: Iterable[str]) -> dict[str, Problem]:
        """Node → what is wrong with its probe."""
        blocked = self.blocked_probes(names := list(names))
        silent = {name: self.nodes[name].labels for name in names if name not in blocked}
        return blocked | (self.probes.problems(silent) if silent and self.probes else {})


class _Cache:
    """The last snapshot of each cluster. One thread per cluster reads while the others wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers: dict[str, threading.Lock] = {}
        self._kept: dict[str, tuple[float, Snapshot | ClusterError]] = {}
        self._writes = 0

    def reader(self, key: str) -> threading.Lock:
        with self._lock:
            return self._readers.setdefault(key, threading.Lock())

    def get(self, key: str) -> tuple[int, Snapshot | ClusterError | None]:
        """The number of our writes so far, and what was read since the last one."""
        with self._lock:
            at, answer = self._kept.get(key, (0.0, None))
            return self._writes, None if time.monotonic() - at > LIFETIME_S else answer

    def put(self, key: str, writes: int, answer: Snapshot | ClusterError) -> None:
        """Keep it, unless a write happened meanwhile that it may not show."""
        with self._lock:
            if self._writes == writes:
                self._kept[key] = (time.monotonic(), answer)

    def invalidate(self) -> None:
        with self._lock:
            self._writes += 1
            self._kept.clear()


_cache = _Cache()
invalidate = _cache.invalidate
"""Called after every write of ours."""


def observe(cluster: ClusterArgs, reports_namespace: str, fresh: bool = False, dra: bool = False) -> Snapshot:
    """The cached snapshot of this run, or a new one; with ``dra``, also what NVIDIA's DRA driver has published. Raises
    :class:`~mig_fleet.cluster.errors.ClusterError`.
    """
    key = f"{sorted(cluster.items())} {reports_namespace}"
    with _cache.reader(key):
        writes, answer = _cache.get(key)
        lacks_slices = dra and isinstance(answer, Snapshot) and answer.resource_slices is None
        if answer is None or fresh or lacks_slices:
            try:
                answer = _read(cluster, reports_namespace, dra)
            except ClusterError as exc:
                answer = exc
            _cache.put(key, writes, answer)
    if isinstance(answer, ClusterError):
        raise answer
    return answer


def _read(args: ClusterArgs, reports_namespace: str, dra: bool) -> Snapshot:
    cluster = Cluster(args)
    with ThreadPoolExecutor(2) as executor:
        listed = executor.submit(cluster.read_items, NODES, NodeObject)
        published = executor.submit(ResourceSlices.read, Cluster(args)) if dra else None
        reports = read_reports(cluster, reports_namespace, listed.result)
        nodes, malformed = listed.result()
        unknown = {name: Node(name, {}, {}, {}, None, ready=False, malformed=why) for name, why in malformed.items()}
        found = unknown | {it.metadata.name: seen_node(it, reports.get(it.metadata.name)) for it in nodes}
        slices = published.result() if published else None
        return Snapshot(with_published(found, slices), Probes(args, reports_namespace), slices)


def with_published(nodes: dict[str, Node], slices: ResourceSlices | None) -> dict[str, Node]:
    """The nodes, each with what the DRA driver has published for it."""
    found = slices.of_nodes(nodes) if slices else {}
    return {name: replace(node, published=found[name]) for name, node in nodes.items()} if slices else nodes


def seen_node(it: NodeObject, received: ReceivedReport | None) -> Node:
    """A node with its probe's report."""
    metadata, spec, status = it.metadata, it.spec, it.status
    listed = {printable(key): n for key, n in (status.allocatable or {}).items() if key.startswith("nvidia.com/")}
    offered = {key: parse_count(number) for key, number in listed.items()}
    return Node(
        name=metadata.name,
        labels=_printable(metadata.labels or {}),
        annotations=_printable({k: text for k, text in (metadata.annotations or {}).items() if k.startswith(OURS)}),
        allocatable={key: n for key, n in offered.items() if n},
        report=received.report if received else None,
        unreadable_report=received.unreadable if received else "",
        is_report_blocked=received is not None and received.is_blocked,
        report_age_s=received.age_s if received else None,
        report_written=received.written if received else None,
        ready=any(each.type == "Ready" and each.status == "True" for each in status.conditions or ()),
        taints=frozenset(taint.key for taint in spec.taints or ()),
        full_taints=tuple(spec.taints or ()),
        cordoned=bool(spec.unschedulable),
        config_writer=config_writer(metadata.managed_fields),
        uid=metadata.uid,
        unreadable=tuple(
            f"{key}: the kubelet offers '{printable(listed[key])}', which must be {RIGHT}"
            for key, number in offered.items()
            if number is None
        ),
    )


def _printable(texts: dict[str, str]) -> dict[str, str]:
    """Labels or annotations; the usual ones are returned as they are."""
    values = texts.values()
    if "".join((*texts, *values)).isprintable() and max(map(len, values), default=0) <= LONGEST_TEXT:
        return texts
    return {printable(key): printable(text, LONGEST_TEXT) for key, text in texts.items()}
