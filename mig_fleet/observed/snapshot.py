"""One look at the fleet for all that ask in one run: two LISTs at once, however many waves there are.

The provider process asks for every wave in every preview. A look lives for :data:`LIFETIME_S` and is dropped by any
write of ours; a failed look is kept as well, or an unreachable cluster would cost one timeout per wave.
"""

import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from mig_fleet.cluster.client import Cluster, ClusterArgs, ClusterError
from mig_fleet.cluster.quantities import whole
from mig_fleet.model import labels
from mig_fleet.model.report import Report
from mig_fleet.observed.objects import NodeObject, NodeObjects
from mig_fleet.observed.reports import Heard, heard

LIFETIME_S = 30.0
"""Longer than a preview of a large fleet takes, so that each run looks once; whatever waits for a change looks anew."""


@dataclass(frozen=True)
class Node:
    """What one node says of itself: labels, allocatable, and its probe's report, if there is one."""

    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    allocatable: Mapping[str, int]
    """Extended resources under ``nvidia.com/`` in slices or GPUs; kubelet keeps vanished ones at 0, which is absent."""
    report: Report | None
    ready: bool = True
    """Whether its kubelet says ``Ready``; nothing is started or ended on a node that is not."""
    taints: frozenset[str] = frozenset()
    """The keys of its taints."""
    cordoned: bool = False
    """Whether it is unschedulable, whoever made it so."""
    silent_s: float | None = None
    """Seconds since its probe was last heard, by the API server's clock; ``None`` where nobody can tell."""

    @property
    def config(self) -> str:
        return self.labels.get(labels.CONFIG, "")

    @property
    def state(self) -> str:
        return self.labels.get(labels.STATE, "")

    @property
    def attempt(self) -> str | None:
        """Which of our writes this is; a report that saw an earlier one is stale."""
        return self.annotations.get(labels.ATTEMPT)

    @property
    def is_heard(self) -> bool:
        """Whether its probe has reported since MIG Manager said what it says now."""
        said = self.report
        return said is not None and (said.attempt, said.state) == (self.attempt, self.state)

    @property
    def closed(self) -> bool:
        """Whether we keep new pods away from it: by one of our taints, or by a cordon of ours."""
        ours = self.annotations.get(labels.CORDONED) == "true"
        return bool(self.taints & set(labels.OUR_TAINTS)) or (self.cordoned and ours)


@dataclass(frozen=True)
class Look:
    """The fleet at one moment."""

    nodes: Mapping[str, Node] = field(default_factory=dict)


class _Memory:
    """What this run saw, by whom it was asked of; one who looks at a time for each cluster, and the others wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: dict[str, threading.Lock] = {}
        self._kept: dict[str, tuple[float, Look | ClusterError]] = {}
        self._writes = 0

    def turn(self, key: str) -> threading.Lock:
        with self._lock:
            return self._turns.setdefault(key, threading.Lock())

    def recall(self, key: str) -> tuple[int, Look | ClusterError | None]:
        """How often something was written so far, and what was seen since the last time."""
        with self._lock:
            at, answer = self._kept.get(key, (0.0, None))
            return self._writes, None if time.monotonic() - at > LIFETIME_S else answer

    def keep(self, key: str, writes: int, answer: Look | ClusterError) -> None:
        """Unless something was written meanwhile, which it may not have seen."""
        with self._lock:
            if self._writes == writes:
                self._kept[key] = (time.monotonic(), answer)

    def forget(self) -> None:
        with self._lock:
            self._writes += 1
            self._kept.clear()


_memory = _Memory()
forget = _memory.forget
"""Called after every write of ours."""


def look(cluster: ClusterArgs, reports: str, fresh: bool = False) -> Look:
    """The fleet now, or as this run saw it last, with the reports of that namespace; raises
    :class:`~mig_fleet.cluster.client.ClusterError`.
    """
    key = f"{sorted(cluster.items())} {reports}"
    with _memory.turn(key):
        writes, answer = _memory.recall(key)
        if answer is None or fresh:
            try:
                answer = _look(cluster, reports)
            except ClusterError as exc:
                answer = exc
            _memory.keep(key, writes, answer)
    if isinstance(answer, ClusterError):
        raise answer
    return answer


def _look(args: ClusterArgs, namespace: str) -> Look:
    cluster = Cluster(args)
    with ThreadPoolExecutor(1) as meanwhile:
        nodes = meanwhile.submit(cluster.read, "/api/v1/nodes", NodeObjects)
        reports = heard(cluster, namespace)
        return Look({it.metadata.name: _node(it, reports.get(it.metadata.name)) for it in nodes.result().items})


def _node(it: NodeObject, said: Heard | None) -> Node:
    metadata, spec, status = it.metadata, it.spec, it.status
    offered = status.allocatable or {}
    return Node(
        name=metadata.name,
        labels=metadata.labels or {},
        annotations=metadata.annotations or {},
        allocatable={key: whole(n) for key, n in offered.items() if key.startswith("nvidia.com/") and whole(n)},
        report=said.report if said else None,
        silent_s=said.silent_s if said else None,
        ready=any(each.type == "Ready" and each.status == "True" for each in status.conditions or ()),
        taints=frozenset(taint.key for taint in spec.taints or ()),
        cordoned=bool(spec.unschedulable),
    )
