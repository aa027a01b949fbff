"""What a planned change or a repair of drift will do, for the reviewer of a preview. Pure, sorted, without times."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from mig_fleet.model import labels
from mig_fleet.model.formatting import format_gpus, format_profiles, format_ranges
from mig_fleet.model.strategy import PerGpu, Strategy, allocatable
from mig_fleet.observed.gpus.affected import AffectedGpus, resets_on_mode_change, switched_gpus, unproven_report
from mig_fleet.observed.gpus.pod_gpus import AffectedPod
from mig_fleet.observed.gpus.pods import GpuPod
from mig_fleet.observed.offers import offers_of
from mig_fleet.observed.snapshot import Node, Snapshot
from mig_fleet.rollout.affected import Affected, Slices, affected_nodes, pods_on_affected_gpus

MAX_LINES = 20
"""Lines per property. Users read previews, so further lines are only counted."""


def planned_impact(
    seen: Snapshot,
    pods: Iterable[GpuPod],
    targets: Mapping[str, str],
    slices: Slices,
    strategy: Strategy,
    renamed: Mapping[str, Node] = {},
) -> dict[str, Any]:
    """Property → lines about the nodes that get another config; empty properties are left out. ``targets`` and
    ``slices`` are by node, as :func:`~mig_fleet.rollout.reconfigure.reconfigure` has them.

    ``impact``: plain data for policies: the names of all ``nodes`` with GPUs that change, and the number of
    ``podsLosingSlices``. The lines of the other properties are bounded:
    ``plannedChanges``: nodes, and which GPUs change · ``podsLosingSlices``: pods on them, and their owners ·
    ``gpuResets`` · ``capacityChanges``: slices of the wave before → after. A node that is only renamed is a planned
    change, and no more. ``stranding/check.py`` finds the stranded pods. ``renamed``: nodes as they are after a change
    of the strategy, with the slices that they have.
    """
    relabelled = {name: seen.nodes[name] for name in sorted(targets)}
    affected = affected_nodes(seen, {name: slices.get(name) for name in relabelled})
    changes = {
        name: _change(node, affected[name], targets[name], slices.get(name)) for name, node in relabelled.items()
    }
    changed = [
        (node, known)
        for name, node in relabelled.items()
        if not affected[name].nothing and (known := slices.get(name)) is not None
    ]
    losing = pods_on_affected_gpus(seen, pods, affected)
    lines = {
        "plannedChanges": _by_change(changes),
        "podsLosingSlices": _losing_slices(losing, affected),
        "gpuResets": _resets(changed),
        "capacityChanges": _capacity(
            [
                *((node, allocatable(strategy, slices)) for node, slices in changed),
                *((seen.nodes[n], later.allocatable) for n, later in renamed.items() if n not in targets),
            ]
        ),
    }
    impact = {
        "nodes": [name for name in relabelled if not affected[name].nothing],
        "podsLosingSlices": sum(map(len, losing.values())),
    }
    return {key: _bounded(found) for key, found in lines.items() if found} | {"impact": impact}


def adopted_nodes(kept: Iterable[Node]) -> list[str]:
    """One line for all nodes that a new wave takes as they are, by their config."""
    alike: dict[str, list[str]] = {}
    for node in kept:
        alike.setdefault(node.config, []).append(node.name)
    return _bounded(
        [
            f"{', '.join(sorted(names))}: adopted with config {config!r}; no GPU is touched"
            for config, names in sorted(alike.items())
        ]
    )


def missing_nodes(wave: str, missing: Iterable[str]) -> list[str]:
    """Lines about nodes of a wave that are not in the cluster, and for which its update is refused."""
    lines = _bounded([f"{name}: is not in the cluster" for name in sorted(missing)])
    return [*lines, f"{wave} will be refused until they are, or are removed from the pool"] if lines else []


def _by_change(changes: Mapping[str, str]) -> list[str]:
    """One line for all nodes with the same change."""
    alike: dict[str, list[str]] = {}
    for name, change in changes.items():
        alike.setdefault(change, []).append(name)
    return sorted(f"{', '.join(names)}: {change}" for change, names in alike.items())


def _change(node: Node, affected: AffectedGpus, target: str, slices: PerGpu | None) -> str:
    config = f"config {node.config or 'none'!r}"
    if affected.nothing:
        return f"{config} → {target!r}: renamed; no GPU is touched"
    scope = f"; the whole node counts: {affected.whole_node}" if affected.whole_node else ""
    if slices is None:
        return f"{config} → {target!r}{scope}"
    new = format_gpus(dict(enumerate(slices)))
    if unproven_report(node) or node.report is None:
        return f"{config} → {new}{scope}"
    old = node.report.per_gpu()
    if len(old) != len(slices):
        return f"{format_gpus(old)} → {new}{scope}"
    return _gpu_changes(old, dict(zip(sorted(old), slices, strict=True)), affected) + scope


def _gpu_changes(
    old: Mapping[int, Mapping[str, int] | None], new: Mapping[int, Mapping[str, int] | None], affected: AffectedGpus
) -> str:
    """``GPU 3: 7x 1g.10gb → 3g.40gb; GPU 0-2, 4-7 keep their slices``."""
    alike: dict[str, list[int]] = {}
    for index in sorted(affected.indexes):
        before, after = format_profiles(old[index]), format_profiles(new[index])
        text = f"{before} → {after}" if before != after else f"{before}, destroyed and created again"
        alike.setdefault(text, []).append(index)
    parts = [f"GPU {format_ranges(indexes)}: {text}" for text, indexes in alike.items()]
    kept = old.keys() - affected.indexes
    keep = "keeps its" if len(kept) == 1 else "keep their"
    return "; ".join([*parts, *([f"GPU {format_ranges(kept)} {keep} slices"] if kept else [])])


def _losing_slices(losing: Mapping[str, list[AffectedPod]], affected: Affected) -> list[str]:
    lines = []
    for name, pods in losing.items():
        reason = affected[name].whole_node
        lines += [f"{name}: {it}{f' (the whole node counts: {reason})' if reason else ''}" for it in pods]
    return lines


def _resets(changed: Iterable[tuple[Node, PerGpu]]) -> list[str]:
    """What a change of the MIG mode takes with it; :mod:`~mig_fleet.observed.gpus.affected` has the sources.

    No other component restarts, but every client must leave the GPUs first.
    """
    found = []
    for node, slices in changed:
        if unproven_report(node) or node.report is None:
            continue
        switched = switched_gpus(node.report, slices)
        cleared = [gpu.index for gpu in node.report.gpus if gpu.mig_mode_current and gpu.index not in switched]
        if not switched:
            continue
        if any(resets_on_mode_change(gpu) for gpu in node.report.gpus if gpu.index in switched):
            reset = "needs a reset of all GPUs of the node, or a reboot where the platform forbids it"
        else:
            reset = "needs no GPU reset"
            reset += (
                f"; MIG Manager first clears every GPU with MIG on: GPU {format_ranges(cleared)}" if cleared else ""
            )
        found.append(f"{node.name}: MIG mode of GPU {format_ranges(switched)} changes; {reset}")
    return found


def _capacity(changed: Iterable[tuple[Node, Mapping[str, int]]]) -> list[str]:
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    for node, offered in changed:
        before.update({name: n for name, n in offers_of(node).items() if labels.is_gpu_resource(name)})
        after.update({name: n for name, n in offered.items() if labels.is_gpu_resource(name)})
    names = sorted(name for name in before.keys() | after.keys() if before[name] != after[name])
    return [f"{name}: {before[name]} → {after[name]}" for name in names]


def _bounded(lines: list[str]) -> list[str]:
    more = len(lines) - MAX_LINES
    return lines if more <= 0 else [*lines[:MAX_LINES], f"and {more} more"]
