"""The sentences of a wave's preview, read again: nodes and their GPUs, pods, amounts.

:mod:`mig_fleet.rollout.impact` and :mod:`mig_fleet.rollout.stranding` write them. A sentence that is not known is kept
as it is: a review shows what it does not understand.
"""

import re
from collections.abc import Callable, Iterable, Sequence

from mig_fleet.model.formatting import parse_per_gpu
from mig_fleet.review.review import NO_GPU, UNKNOWN, AmountChange, GpuChange, NodeChange, Pod, Slices

_MORE = re.compile(r"and (\d+) more$")
_CHANGED = re.compile(r"GPU ([\d, -]+): (.*)$")
_KEPT = re.compile(r"GPU ([\d, -]+) keeps? (?:its|their) slices$")
_NAMES = re.compile(r"[a-z0-9][a-z0-9.-]*(?:, [a-z0-9][a-z0-9.-]*)*")
_LOSING = re.compile(r"(\S+): (\S+/\S+) \(([^()]*)\) holds ")
_STRANDED = re.compile(r"(\S+/\S+) \(([^()]*)\) (?:runs on (\S+)|is not scheduled) and requests ")
_AMOUNT = re.compile(r"(\S+): (\d+) → (\d+)$")
MISSING = ": is not in the cluster"
REFUSED = " will be refused"


def node_changes(lines: Iterable[str], declared: Sequence[Slices]) -> tuple[list[NodeChange], list[str], list[str]]:
    """The changes, the missing nodes, and the other lines. ``declared``: the slices of a node's GPUs by index."""
    changes: list[NodeChange] = []
    missing: list[str] = []
    others: list[str] = []
    for line in lines:
        names, separator, text = line.partition(": ")
        if line.endswith(MISSING):
            missing.append(line.removesuffix(MISSING))
        elif separator and _NAMES.fullmatch(names) and ("→" in text or "config" in text):
            text, _, whole_node = text.partition("; the whole node counts: ")
            changes.append(NodeChange(tuple(names.split(", ")), text, _gpus(text, declared), whole_node))
        elif REFUSED not in line:
            others.append(line)
    return changes, missing, others


def pods_losing_slices(lines: Iterable[str]) -> tuple[list[Pod], int]:
    """The pods, and how many are only counted."""
    return _pods(lines, lambda line: (it := _LOSING.match(line)) and Pod(it[2], _owner(it[3]), it[1], line))


def stranded_pods(lines: Iterable[str]) -> tuple[list[Pod], int]:
    """The pods with their reasons, and how many are only counted. The lines after a refusal are ways out."""
    pods: list[Pod] = []
    open_from = more = 0
    for line in lines:
        if it := _STRANDED.match(line):
            pods.append(Pod(it[1], _owner(it[2]), it[3] or "", line))
        elif it := _MORE.match(line):
            more += int(it[1])
        elif REFUSED in line:
            break
        else:
            # A reason follows the pods that have it.
            pods[open_from:] = [Pod(each.name, each.owner, each.node, each.text, line) for each in pods[open_from:]]
            open_from = len(pods)
    return pods, more


def amounts(lines: Iterable[str]) -> list[AmountChange]:
    """``nvidia.com/mig-1g.10gb: 56 → 0``"""
    found = map(_AMOUNT.match, lines)
    return [AmountChange(it[1], int(it[2]), int(it[3])) for it in found if it]


def _owner(text: str) -> str:
    return "" if text == "no owner" else text


def _pods(lines: Iterable[str], parse: Callable[[str], Pod | None]) -> tuple[list[Pod], int]:
    pods: list[Pod] = []
    more = 0
    for line in lines:
        if it := _MORE.match(line):
            more = int(it[1])
        else:
            pods.append(parse(line) or Pod(line, "", "", line))
    return pods, more


def _gpus(text: str, declared: Sequence[Slices]) -> tuple[GpuChange, ...]:
    """What a sentence states about GPUs; empty if it is not understood."""
    found: list[GpuChange] = []
    if NO_GPU in text:
        return ()
    if text.startswith("config "):
        # No report: the slices before are unknown, and those after are declared.
        return _alike([(index, UNKNOWN, after, True) for index, after in enumerate(declared)]) if "GPU" in text else ()
    if text.count("→") == 1 and text.partition(" → ")[2].startswith("GPU "):
        before, _, after = text.partition(" → ")
        olds, news = list(map(_slices, parse_per_gpu(before))), list(map(_slices, parse_per_gpu(after)))
        longest = range(max(len(olds), len(news)))
        rows = [(index, _at(olds, index), _at(news, index), True) for index in longest]
        return _alike(rows)
    for part in text.split("; "):
        if it := _KEPT.match(part):
            found += _alike([(index, _at(declared, index), _at(declared, index), False) for index in _indexes(it[1])])
            continue
        it = _CHANGED.match(part)
        if it is None:
            return ()
        indexes, rest = _indexes(it[1]), it[2]
        if rest.endswith(", destroyed and created again"):
            same = _parse(rest.partition(", destroyed")[0])
            found.append(GpuChange(indexes, same, same, True))
        else:
            before, arrow, after = rest.partition(" → ")
            if not arrow:
                return ()
            found.append(GpuChange(indexes, _parse(before), _parse(after), True))
    return tuple(sorted(found, key=lambda change: change.indexes))


def _alike(rows: list[tuple[int, Slices, Slices, bool]]) -> tuple[GpuChange, ...]:
    groups: dict[tuple[str, str, bool], list[int]] = {}
    slices: dict[str, Slices] = {}
    for index, before, after, touched in rows:
        slices |= {str(before): before, str(after): after}
        groups.setdefault((str(before), str(after), touched), []).append(index)
    return tuple(
        GpuChange(tuple(indexes), slices[before], slices[after], touched)
        for (before, after, touched), indexes in groups.items()
    )


def _at(slices: Sequence[Slices], index: int) -> Slices:
    return slices[index] if index < len(slices) else UNKNOWN


def _slices(profiles: object) -> Slices:
    return Slices(dict(profiles) if isinstance(profiles, dict) else None)


def _parse(text: str) -> Slices:
    try:
        ((profiles),) = parse_per_gpu(f"GPU 0: {text}")
    except ValueError:
        return UNKNOWN
    return _slices(profiles)


def _indexes(text: str) -> tuple[int, ...]:
    found: list[int] = []
    for part in text.replace(" ", "").split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)
