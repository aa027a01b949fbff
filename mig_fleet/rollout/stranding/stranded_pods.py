"""Which pods a change of slices strands: they run or could be scheduled now, and find no slice afterwards. Pure.

Counted over the whole cluster, after the change for the nodes that change: what each node offers, minus the slices of
the pods that stay where they are. Our own taints and our cordon are gone by then. Who competes for the free slices:

* pods that lose their slices, if their controller creates them again. A pod without a controller and a pod of a
  DaemonSet need no slice elsewhere; under ``onUserPods: wait`` neither does a pod of a Job, which runs to its end;
* unscheduled pods that find a free slice now, for example pods that the wave before evicted, which are scheduled in a
  moment. They count only if the scheduler has not reported another reason for them (``scheduler_message.py``).

Any other unscheduled pod waits for slices that are in use. A change strands it if no node where it may run offers them
any more. Pods that are terminating count neither as pods nor for the slices that they still have. Which pods of a group
find none is not known, because the scheduler places them one by one; their number is proven (``slice_demand.py``).

:func:`~mig_fleet.observed.scheduling.mismatch` lists what is compared between pod and node. Preemption is not counted:
a pod that would displace another one strands that one instead.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from mig_fleet.cluster.connection import Json
from mig_fleet.model import gfd, labels
from mig_fleet.observed.expected import Expected
from mig_fleet.observed.gpus.pods import GpuPod, gpu_pods
from mig_fleet.observed.scheduling import NodeView, mismatch
from mig_fleet.observed.snapshot import Node, Snapshot
from mig_fleet.rollout.stranding.scheduler_message import waits_for_slices
from mig_fleet.rollout.stranding.shared_slices import with_own_slices
from mig_fleet.rollout.stranding.slice_demand import Demand, Served, Slices, serve

UNLIMITED = 1_000_000
"""Slices of a node whose next layout is not known."""

STATIC = ("DaemonSet ", "Node ")
"""Owners of pods that belong to one node: a DaemonSet, and the node itself for a pod from a file of its kubelet."""


@dataclass(frozen=True)
class StrandedPod:
    """A pod that finds no slice, and why, by number of nodes."""

    pod: GpuPod
    reason: str

    def __str__(self) -> str:
        """The pod alone: several pods may have one reason."""
        pod = self.pod
        state = f"runs on {pod.node}" if pod.node else "is not scheduled"
        requests = format_requests(pod.resources)
        return f"{pod.namespace}/{pod.name} ({pod.owner or 'no owner'}) {state} and requests {requests}"


@dataclass(frozen=True)
class Seeker:
    """A pod that needs slices, and its constraints."""

    pod: GpuPod
    spec: Json

    @property
    def key(self) -> str:
        """Pods with equal keys are interchangeable."""
        affinity = (self.spec.get("affinity") or {}).get("nodeAffinity")
        constraints = [self.spec.get("nodeSelector"), affinity, self.spec.get("tolerations")]
        return json.dumps([dict(self.pod.resources), constraints], sort_keys=True)


def stranded_pods(
    seen: Snapshot,
    pods: Iterable[Json],
    operator_namespace: str,
    changes: Mapping[str, Expected | None],
    moved: Collection[GpuPod],
    on_user_pods: str = "evict",
) -> list[StrandedPod]:
    """The pods that the change strands, by node and name.

    ``changes``: node → what it must show afterwards, its other facts stay; ``None`` is not known, and then every pod
    may find its slices there. ``moved``: the pods that lose their slices.
    """
    specs = {(pod["metadata"]["namespace"], pod["metadata"]["name"]): pod for pod in pods}
    found = with_own_slices(gpu_pods(specs.values(), operator_namespace))
    waiting = [Seeker(pod, specs[pod.namespace, pod.name]["spec"]) for pod in found if not pod.node]
    asking = [each for each in waiting if waits_for_slices(specs[each.pod.namespace, each.pod.name])]
    names = {(pod.namespace, pod.name) for pod in moved}
    staying = [pod for pod in found if pod.node and (pod.namespace, pod.name) not in names]
    again = [
        Seeker(pod, specs[pod.namespace, pod.name]["spec"])
        for pod in found
        if (pod.namespace, pod.name) in names and _is_created_again(pod, on_user_pods)
    ]
    if not again and not waiting:
        return []
    now = {name: NodeView.now(node) for name, node in seen.nodes.items()}
    requested = {name for each in (*again, *waiting) for name in each.pod.resources}
    later = {name: NodeView.later(node) for name, node in seen.nodes.items()}
    later |= {name: _after(seen.nodes[name], changes[name], requested) for name in changes.keys() & now.keys()}
    held = [pod for pod in found if pod.node]
    blocked_now = _Placing(now, held).place(asking)
    scheduled_soon = [each for each in asking if each.pod not in blocked_now]
    stranded = _Placing(later, staying).place([*again, *scheduled_soon])
    soon = {each.pod for each in scheduled_soon}
    for group in _alike(each for each in waiting if each.pod not in soon):
        if _is_offered(group[0], now) and not _is_offered(group[0], later):
            stranded |= dict.fromkeys((each.pod for each in group), _Placing(later, staying).reason(group[0]))
    return [StrandedPod(pod, stranded[pod]) for pod in sorted(stranded)]


def waiting_pods(seen: Snapshot, pods: Iterable[Json], operator_namespace: str) -> dict[GpuPod, str]:
    """The pods that are not scheduled, and why they find no slice now; empty for one that may be scheduled now."""
    specs = {(pod["metadata"]["namespace"], pod["metadata"]["name"]): pod for pod in pods}
    found = with_own_slices(gpu_pods(specs.values(), operator_namespace))
    waiting = [Seeker(pod, specs[pod.namespace, pod.name]["spec"]) for pod in found if not pod.node]
    if not waiting:
        return {}
    views = {name: NodeView.now(node) for name, node in seen.nodes.items()}
    unserved = _Placing(views, [pod for pod in found if pod.node]).place(waiting)
    return {each.pod: unserved.get(each.pod, "") for each in waiting}


def no_offer(seeker: Seeker, views: Mapping[str, NodeView]) -> str:
    """Why the pod finds nothing there, by number of nodes."""
    return _Placing(views, ()).reason(seeker)


def format_requests(resources: Slices) -> str:
    """``mig-1g.10gb``, or ``2x gpu, mig-1g.10gb``."""
    texts = ((name.removeprefix("nvidia.com/"), n) for name, n in sorted(resources.items()))
    return ", ".join(name if n == 1 else f"{n}x {name}" for name, n in texts)


def _is_created_again(pod: GpuPod, on_user_pods: str) -> bool:
    ends = on_user_pods == "wait" and pod.owner.startswith("Job ")
    return bool(pod.owner) and not pod.owner.startswith(STATIC) and not ends


def _after(node: Node, expected: Expected | None, requested: Iterable[str]) -> NodeView:
    """A node after the change. Its labels about slices are then GFD's; only their counts and the product are known."""
    kept = {key: value for key, value in node.labels.items() if not key.startswith(labels.RESOURCE_PREFIX)}
    others = {name: n for name, n in node.allocatable.items() if not labels.is_gpu_resource(name)}
    if expected is None:
        unlimited = {**others, **dict.fromkeys(requested, UNLIMITED)}
        return NodeView(node, kept, unlimited, (labels.RESOURCE_PREFIX,), is_later=True)
    changed = {**expected.labels, labels.CONFIG: expected.config, labels.STATE: "success"}
    if product := node.labels.get(labels.PRODUCT):
        changed[labels.PRODUCT] = gfd.with_profile(product, gfd.single_profile(expected.gpus, expected.strategy))
    unknown = tuple(f"{name}." for name in expected.allocatable)
    return NodeView(node, {**kept, **changed}, {**others, **expected.allocatable}, unknown, is_later=True)


def _is_offered(seeker: Seeker, views: Mapping[str, NodeView]) -> bool:
    return any(not lacking(view, seeker.pod.resources) and not mismatch(seeker.spec, view) for view in views.values())


def lacking(view: NodeView, requests: Slices) -> str:
    """What the node does not offer, used or not; empty if it offers what is requested."""
    for name, number in sorted(requests.items()):
        if view.offers.get(name, 0) < number:
            short = name.removeprefix("nvidia.com/")
            return f"with fewer than {number} {short}" if view.offers.get(name) else f"without {short}"
    return ""


def _alike(seekers: Iterable[Seeker]) -> list[list[Seeker]]:
    """The pods in groups of interchangeable ones."""
    groups: dict[str, list[Seeker]] = {}
    for each in seekers:
        groups.setdefault(each.key, []).append(each)
    return list(groups.values())


class _Placing:
    """Nodes, and the pods that stay on them."""

    def __init__(self, views: Mapping[str, NodeView], staying: Iterable[GpuPod]) -> None:
        self._views = views
        self._free = {name: Counter(view.offers) for name, view in views.items()}
        for pod in staying:
            if pod.node in self._free:
                self._free[pod.node].subtract(pod.resources)

    def place(self, seekers: Iterable[Seeker]) -> dict[GpuPod, str]:
        """Place as many pods as possible; returns the others, with the reason."""
        alike = _alike(sorted(seekers, key=lambda each: (not each.pod.node, each.pod)))
        demands = [self._demand(group) for group in alike]
        served: Served = serve(demands, {name: +left for name, left in self._free.items()})
        self._free = served.free
        found: dict[GpuPod, str] = {}
        for group, placed in zip(alike, served.placed, strict=True):
            left_out = [each.pod for each in group[placed:]]
            found |= dict.fromkeys(left_out, self.reason(group[0]) if left_out else "")
        return found

    def _demand(self, group: list[Seeker]) -> Demand:
        first = group[0]
        nodes = [
            name
            for name, view in self._views.items()
            if not lacking(view, first.pod.resources) and not mismatch(first.spec, view)
        ]
        return Demand(first.pod.resources, tuple(sorted(nodes)), len(group))

    def reason(self, seeker: Seeker) -> str:
        """As the scheduler's event: how many nodes there are, and how many of them do not fit for which reason."""
        counts = Counter(self._unfit(seeker, name) for name in self._views)
        texts = [f"{number} {text}" for text, number in sorted(counts.items(), key=lambda it: (-it[1], it[0]))]
        return f"0/{len(self._views)} nodes fit: {', '.join(texts)}"

    def _unfit(self, seeker: Seeker, name: str) -> str:
        requests, view = seeker.pod.resources, self._views[name]
        text = lacking(view, requests) or mismatch(seeker.spec, view)
        if text:
            return text
        short = [key for key, number in sorted(requests.items()) if self._free[name][key] < number] or sorted(requests)
        number, resource = requests[short[0]], short[0].removeprefix("nvidia.com/")
        return f"with no free {resource}" if number == 1 else f"with fewer than {number} free {resource}"
