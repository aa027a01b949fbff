"""Why a proof came out as it did, in slices that a person can check by hand."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mig_fleet.model.gpus import Geometry
from mig_fleet.model.gpus.model import ENGINE_NAMES
from mig_fleet.model.placement.grid import Kind, grid_of, search
from mig_fleet.model.placement.placed import Placement, mask_of, ranges
from mig_fleet.model.placement.request import instances_of, spoken, unsourced_parts

if TYPE_CHECKING:
    from mig_fleet.model.placement.proof import Proof

Counts = Sequence[tuple[Kind, int]]


def explain(proof: "Proof") -> str:
    """One sentence, without a full stop."""
    if proof.verdict == "feasible":
        return _feasible(proof)
    if proof.verdict == "unproven":
        return _unproven(proof)
    kinds = _as_asked(proof)
    wanted = Counter(instances_of(proof.gpu, proof.request))
    total = wanted + Counter(proof.gpu.profile(placement.profile).name for placement in proof.kept)
    counts = [(kind, total[name]) for name, kind in kinds.items() if total[name]]
    return (
        _compute(proof, counts)
        or _engines(proof, counts)
        or _room(proof, [kind for name, kind in kinds.items() for _ in range(wanted[name])])
        or _instances(proof, counts)
        or _per_profile(proof, counts)
    )


def _as_asked(proof: "Proof") -> dict[str, Kind]:
    """Kinds by the catalog's name, under the name that the request has for them: a person looks for that one."""
    kinds, own_names = grid_of(proof.gpu).by_name, spoken(proof.gpu, proof.request)
    return kinds | {name: replace(kinds[name], name=own) for name, own in own_names.items()} if own_names else kinds


def times(counts: Iterable[tuple[str, int]]) -> str:
    """``3g.40gb ×2 and 1g.10gb``."""
    words = [name if count == 1 else f"{name} ×{count}" for name, count in counts]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _feasible(proof: "Proof") -> str:
    taken = mask_of(proof.placements)
    free = ~taken & ((1 << proof.gpu.memory_slices) - 1)
    places = ", ".join(str(placement) for placement in proof.placements) or "nothing to place"
    return f"{places}; memory slice{'s' if free.bit_count() > 1 else ''} {ranges(free)} free" if free else places


def _unproven(proof: "Proof") -> str:
    if proof.fits:
        return _unnamed(proof)
    return "; ".join(text for text in (_unplaced(proof), _unsplit(proof)) if text)


def _unplaced(proof: "Proof") -> str:
    kinds = grid_of(proof.gpu).by_name
    established = proof.gpu.geometry is Geometry.ESTABLISHED
    if established and all(kinds[name].masks for name in instances_of(proof.gpu, proof.request)):
        return ""
    published = any(row.starts for row in proof.gpu.profiles.values())
    disputed = published and not established
    what = "the sources disagree on the placements" if disputed else "no source gives the placements of these profiles"
    return f"{what} on {proof.gpu.name}; ask a node that has one: nvidia-smi mig -lgipp"


def _unsplit(proof: "Proof") -> str:
    parts = unsourced_parts(proof.gpu, proof.request)
    if not parts:
        return ""
    whom = f"{times((name, 1) for name in parts)} split{'s' if len(parts) == 1 else ''}"
    return f"no source says how {whom} on {proof.gpu.name}; ask a node that has one: nvidia-smi mig -lcip"


def _unnamed(proof: "Proof") -> str:
    rows = [proof.gpu.profiles[name] for name in spoken(proof.gpu, proof.request)]
    others = ", ".join(f"{row.name} is {it.name} {it.where}" for row in rows for it in row.alternate_names)
    return (
        f"names differ between boards of {proof.gpu.name}: {others}; a board that lacks a name is wiped and success "
        "reported; ask a node that has one: nvidia-smi mig -lgip"
    )


def _compute(proof: "Proof", counts: Counts) -> str:
    needed, there = sum(kind.compute * count for kind, count in counts), proof.gpu.compute_slices
    return f"{_times(counts)} need {needed} compute slices, {proof.gpu.name} has {there}" if needed > there else ""


def _engines(proof: "Proof", counts: Counts) -> str:
    for engine, limit in enumerate(grid_of(proof.gpu).engines):
        users = [(kind, count) for kind, count in counts if kind.engines[engine]]
        needed = sum(kind.engines[engine] * count for kind, count in users)
        if needed > limit:
            return f"{_times(users)} need {needed} {ENGINE_NAMES[engine]}, {proof.gpu.name} has {limit}"
    return ""


def _room(proof: "Proof", wanted: Sequence[Kind]) -> str:
    taken = mask_of(proof.kept)
    settled = proof.gpu.geometry is Geometry.ESTABLISHED and all(kind.masks for kind in wanted)
    if not settled or search(wanted, taken) is not None:  # Disputed places are no reason.
        return ""
    core = _smallest_impossible(wanted, taken)
    *rest, last = core
    starts = search(rest, taken) or []
    placed = [Placement(kind.name, start, kind.size) for kind, start in zip(rest, starts, strict=True)]
    occupied = taken | mask_of(placed)
    free = ~occupied & ((1 << proof.gpu.memory_slices) - 1)
    names = [*(placement.profile for placement in proof.kept), *(kind.name for kind in rest)]
    whom = times(Counter(names).items()) if names else "nothing"
    one = len(names) == 1
    compute = sum(kind.compute for kind in rest) + sum(
        proof.gpu.profile(placement.profile).compute_slices for placement in proof.kept
    )
    spare = proof.gpu.compute_slices - compute
    although = f" although {spare} compute slice{'s are' if spare > 1 else ' is'} free"
    if not free:
        verb = "fills" if one else "fill"
        return f"{whom} {verb} memory slices {ranges(occupied)}; nothing is left for {last.name}{although}"
    starts_of_last = ", ".join(str(start) for start, _ in reversed(last.masks))
    return (
        f"{whom} take{'s' if one else ''} memory slices {ranges(occupied)}; {last.name} needs {last.size} in a row "
        f"from start {starts_of_last}, and none of these has room{although}"
    )


def _smallest_impossible(wanted: Sequence[Kind], taken: int) -> list[Kind]:
    """Instances of which none can be spared: without any one of them the rest fits."""
    core = list(wanted)
    for position in reversed(range(len(core))):
        fewer = core[:position] + core[position + 1 :]
        if search(fewer, taken) is None:
            core = fewer
    return core


def _instances(proof: "Proof", counts: Counts) -> str:
    needed, there = sum(count for _, count in counts), proof.gpu.max_gpu_instances
    return f"{_times(counts)} are {needed} GPU instances, {proof.gpu.name} holds {there}" if needed > there else ""


def _per_profile(proof: "Proof", counts: Counts) -> str:
    for kind, count in counts:
        if count > kind.max_instances:
            return f"{_times([(kind, count)])}: {proof.gpu.name} allows at most {kind.max_instances}"
    raise AssertionError(
        f"no limit is broken by {proof.request} on {proof.gpu.name}; this is a bug in the MIG model, please report it"
    )


def _times(counts: Counts) -> str:
    return times((kind.name, count) for kind, count in counts)
