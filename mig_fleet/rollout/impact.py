"""What a planned change will do, for the reviewer of a preview. Pure, sorted, and without times."""

from collections import Counter
from collections.abc import Iterable

from mig_fleet.model import gpus, labels
from mig_fleet.model.formatting import format_gpus, format_indices
from mig_fleet.observed.expected import Expected
from mig_fleet.observed.gpu_pods import GpuPod
from mig_fleet.observed.snapshot import Node, Snapshot

MAX_LINES = 20
"""Lines per property. Users read previews, so further lines are only counted."""


def planned_impact(
    seen: Snapshot, pods: Iterable[GpuPod], nodes: Iterable[str], expected: Expected, staying: Iterable[str] = ()
) -> dict[str, list[str]]:
    """Property → lines about the nodes that will be reconfigured; empty properties are left out.

    ``staying`` are the pool's nodes that keep their slices, because their waves wait for a later update.

    ``plannedChanges``: nodes, old → new layout · ``podsLosingSlices``: pods, and their owners · ``podsUnschedulable``:
    pods that request a resource that nothing in the pool will offer any more · ``gpuResets`` · ``capacityChanges``:
    slices of the wave before → after.
    """
    present = [seen.nodes[name] for name in sorted(nodes) if name in seen.nodes]
    affected = [node for node in present if node.config != expected.config]
    pods = list(pods)
    impact = {
        "plannedChanges": _changes(affected, expected),
        "podsLosingSlices": _losing_slices(affected, pods),
        "podsUnschedulable": _unschedulable(
            affected, pods, expected, [seen.nodes[name] for name in staying if name in seen.nodes]
        ),
        "gpuResets": _resets(affected, expected),
        "capacityChanges": _capacity(affected, expected),
    }
    return {key: _bounded(lines) for key, lines in impact.items() if lines}


def _changes(affected: Iterable[Node], expected: Expected) -> list[str]:
    """One line for all nodes with the same change."""
    new = format_gpus(dict(enumerate(expected.gpus)))
    alike: dict[str, list[str]] = {}
    for node in affected:
        known = node.report is not None and not node.report.errors
        old = format_gpus(node.report.per_gpu()) if known and node.report else f"config {node.config or 'none'!r}"
        alike.setdefault(f"{old} → {new}", []).append(node.name)
    return sorted(f"{', '.join(names)}: {change}" for change, names in alike.items())


def _losing_slices(affected: Iterable[Node], pods: Iterable[GpuPod]) -> list[str]:
    names = {node.name for node in affected}
    return [f"{pod.node}: {pod}" for pod in pods if pod.node in names]


def _unschedulable(
    affected: Iterable[Node], pods: Iterable[GpuPod], expected: Expected, staying: Iterable[Node]
) -> list[str]:
    """Pods on the nodes, and unscheduled pods, that request a resource that is offered now and will not be afterwards.

    All waves of a pool get one layout, so only the waiting waves still offer the old one.
    """
    names = {node.name for node in affected}
    gone = _offered(affected) - {name for name, n in expected.allocatable.items() if n} - _offered(staying)
    found = []
    for pod in pods:
        lost = sorted(gone & pod.resources.keys())
        if lost and (pod.node in names or not pod.node):
            requests = ", ".join(name.removeprefix("nvidia.com/") for name in lost)
            state = f"runs on {pod.node}" if pod.node else "is not scheduled"
            found.append(f"{pod.namespace}/{pod.name} ({pod.owner or 'no owner'}) {state} and requests {requests}")
    return found


def _offered(nodes: Iterable[Node]) -> set[str]:
    return {name for node in nodes for name, n in node.allocatable.items() if n}


def _resets(affected: Iterable[Node], expected: Expected) -> list[str]:
    """Ampere resets a GPU when its MIG mode changes; Hopper and newer do not (NVIDIA MIG User Guide, MIG mode).

    No other component restarts on either, but every client must leave the GPU first.
    """
    ampere = gpus.find(expected.gpu).architecture.startswith("Ampere") if expected.gpu else False
    found = []
    for node in affected:
        if node.report is None or node.report.errors:
            continue
        pairs = zip(node.report.gpus, expected.gpus, strict=False)
        changed = [gpu.index for gpu, desired in pairs if bool(gpu.mig_mode_current) != (desired is not None)]
        if changed:
            reset = "a reset of each GPU, or a reboot where the platform forbids it" if ampere else "no GPU reset"
            found.append(f"{node.name}: MIG mode of GPU {format_indices(changed)} changes; needs {reset}")
    return found


def _capacity(affected: Iterable[Node], expected: Expected) -> list[str]:
    affected = list(affected)
    before: Counter[str] = Counter()
    for node in affected:
        before.update({name: n for name, n in node.allocatable.items() if labels.is_gpu_resource(name)})
    after = {name: n * len(affected) for name, n in expected.allocatable.items()}
    names = sorted(name for name in before.keys() | after.keys() if before[name] != after.get(name, 0))
    return [f"{name}: {before[name]} → {after.get(name, 0)}" for name in names]


def _bounded(lines: list[str]) -> list[str]:
    more = len(lines) - MAX_LINES
    return lines if more <= 0 else [*lines[:MAX_LINES], f"and {more} more"]
