"""The reason of a verdict, in slices that an engineer can check by hand."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from mig_fleet.model.gpus import Geometry
from mig_fleet.model.gpus.model import ENGINE_NAMES
from mig_fleet.model.placement.grid import CompiledProfile, grid_of, search
from mig_fleet.model.placement.placed import Placement, format_ranges, mask_of
from mig_fleet.model.placement.proof import Proof, Verdict
from mig_fleet.model.placement.request import board_specific_names, instances_of, unsourced_parts

Counts = Sequence[tuple[CompiledProfile, int]]


def explain(proof: Proof) -> str:
    """Why the verdict is what it is: one sentence without a full stop, to check against ``nvidia-smi mig -lgipp``.

    Of several reasons, the one that a person checks first: slices before engines.
    """
    if proof.verdict is Verdict.FEASIBLE:
        return _feasible(proof)
    if proof.verdict is Verdict.UNPROVEN:
        return _unproven(proof)
    profiles = _under_requested_names(proof)
    requested = Counter(instances_of(proof.gpu, proof.request))
    total = requested + Counter(proof.gpu.profile(placement.profile).name for placement in proof.kept)
    counts = [(profile, total[name]) for name, profile in profiles.items() if total[name]]
    return (
        _too_many_compute_slices(proof, counts)
        or _no_room(proof, [profile for name, profile in profiles.items() for _ in range(requested[name])])
        or _too_many_engines(proof, counts)
        or _too_many_instances(proof, counts)
        or _too_many_of_a_profile(proof, counts)
    )


def _under_requested_names(proof: Proof) -> dict[str, CompiledProfile]:
    """Compiled profiles by the catalog's name, with the name that the request has for them."""
    profiles, own_names = grid_of(proof.gpu).by_name, board_specific_names(proof.gpu, proof.request)
    renamed = {name: replace(profiles[name], name=own) for name, own in own_names.items()}
    return profiles | renamed if renamed else profiles


def _feasible(proof: Proof) -> str:
    if proof.request and not proof.placements:
        return proof.requires[0]
    free = ~mask_of(proof.placements) & ((1 << proof.gpu.memory_slices) - 1)
    places = ", ".join(str(placement) for placement in proof.placements) or "nothing to place"
    return f"{places}; memory slice{'s' if free.bit_count() > 1 else ''} {format_ranges(free)} free" if free else places


def _unproven(proof: Proof) -> str:
    if proof.fits:
        return _names_differ(proof)
    return "; ".join(text for text in (_placements_unknown(proof), _split_unknown(proof)) if text)


def _placements_unknown(proof: Proof) -> str:
    profiles = grid_of(proof.gpu).by_name
    established = proof.gpu.geometry is Geometry.ESTABLISHED
    if established and all(profiles[name].places for name in instances_of(proof.gpu, proof.request)):
        return ""
    published = any(row.starts for row in proof.gpu.profiles.values())
    disputed = published and not established
    what = "the sources disagree on the placements" if disputed else "no source gives the placements of these profiles"
    return (
        f"{what} on {proof.gpu.name}; run on a node with this GPU model: nvidia-smi mig -lgipp; if a GPU has had "
        "all of these slices at once, write in the layout `confirmed: {slices: WHERE AND WHEN}`"
    )


def _split_unknown(proof: Proof) -> str:
    parts = unsourced_parts(proof.gpu, proof.request)
    if not parts:
        return ""
    verb = "is" if len(parts) == 1 else "are"
    names = format_counts((name, 1) for name in parts)
    model = proof.gpu.name
    command = "run on a node with this GPU model: nvidia-smi mig -lcip"
    return f"no source states how {names} {verb} split on {model}; {command}"


def _names_differ(proof: Proof) -> str:
    rows = [proof.gpu.profiles[name] for name in board_specific_names(proof.gpu, proof.request)]
    others = ", ".join(f"{row.name} is {it.name} {it.where}" for row in rows for it in row.alternate_names)
    return (
        f"names differ between boards of {proof.gpu.name}: {others}; on a board without the name mig-parted wipes the "
        "GPU and reports success; run on a node with this GPU model: nvidia-smi mig -lgip; if it lists "
        "the names of the layout, write in the layout `confirmed: {names: WHERE AND WHEN}`"
    )


def _too_many_compute_slices(proof: Proof, counts: Counts) -> str:
    needed, limit = sum(profile.compute * count for profile, count in counts), proof.gpu.compute_slices
    if needed <= limit:
        return ""
    return f"{_format(counts)} need {needed} compute slices, {proof.gpu.name} has {limit}"


def _too_many_engines(proof: Proof, counts: Counts) -> str:
    for engine, limit in enumerate(grid_of(proof.gpu).engines):
        users = [(profile, count) for profile, count in counts if profile.engines[engine]]
        needed = sum(profile.engines[engine] * count for profile, count in users)
        if needed > limit:
            return f"{_format(users)} need {needed} {ENGINE_NAMES[engine]}, {proof.gpu.name} has {limit}"
    return ""


def _no_room(proof: Proof, requested: Sequence[CompiledProfile]) -> str:
    taken = mask_of(proof.kept)
    known = proof.gpu.geometry is Geometry.ESTABLISHED and all(profile.places for profile in requested)
    if not known or search(requested, taken) is not None:  # Disputed placements are no reason.
        return ""
    *rest, last = _smallest_impossible(requested, taken)
    starts = search(rest, taken) or []
    placed = [Placement(profile.name, start, profile.size) for profile, start in zip(rest, starts, strict=True)]
    occupied = taken | mask_of(placed)
    free = ~occupied & ((1 << proof.gpu.memory_slices) - 1)
    names = [*(placement.profile for placement in proof.kept), *(profile.name for profile in rest)]
    users = format_counts(Counter(names).items()) if names else "nothing"
    one = len(names) == 1
    compute = sum(profile.compute for profile in rest) + sum(
        proof.gpu.profile(placement.profile).compute_slices for placement in proof.kept
    )
    spare = proof.gpu.compute_slices - compute
    although = f" although {spare} compute slice{'s are' if spare > 1 else ' is'} free"
    if not free:
        verb = "fills" if one else "fill"
        return f"{users} {verb} memory slices {format_ranges(occupied)}; nothing is left for {last.name}{although}"
    starts_of_last = ", ".join(str(start) for start, _ in reversed(last.places))
    needed = "1 memory slice" if last.size == 1 else f"{last.size} consecutive memory slices"
    ranges = "slice" if last.size == 1 else "range"
    none_free = f"none of these {ranges}s is free" if len(last.places) > 1 else f"this {ranges} is not free"
    return (
        f"{users} take{'s' if one else ''} memory slices {format_ranges(occupied)}; {last.name} needs {needed} at "
        f"start {starts_of_last}, and {none_free}{although}"
    )


def _smallest_impossible(requested: Sequence[CompiledProfile], taken: int) -> list[CompiledProfile]:
    """Instances that do not fit together, although without any one of them the rest fits."""
    core = list(requested)
    for position in reversed(range(len(core))):
        fewer = core[:position] + core[position + 1 :]
        if search(fewer, taken) is None:
            core = fewer
    return core


def _too_many_instances(proof: Proof, counts: Counts) -> str:
    needed, limit = sum(count for _, count in counts), proof.gpu.max_gpu_instances
    return f"{_format(counts)} are {needed} GPU instances, {proof.gpu.name} holds {limit}" if needed > limit else ""


def _too_many_of_a_profile(proof: Proof, counts: Counts) -> str:
    for profile, count in counts:
        if count > profile.max_instances:
            return f"{_format([(profile, count)])}: {proof.gpu.name} allows at most {profile.max_instances}"
    raise AssertionError(
        f"no limit is broken by {proof.request} on {proof.gpu.name}; this is a bug in the MIG model, please report it"
    )


def _format(counts: Counts) -> str:
    return format_counts((profile.name, count) for profile, count in counts)


def format_counts(counts: Iterable[tuple[str, int]]) -> str:
    """Counted names in a sentence: ``3g.40gb ×2 and 1g.10gb``."""
    words = [name if count == 1 else f"{name} ×{count}" for name, count in counts]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
