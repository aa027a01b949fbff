"""Decides by the needs of slices whether a smaller profile is large enough. Whatever is not known is an outcome of its
own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mig_fleet.advice.needs import Needs, memory_of
from mig_fleet.advice.outcome import Outcome
from mig_fleet.advice.replacement import Replacement, replace, smaller_profiles
from mig_fleet.advice.use import Use
from mig_fleet.model.cost import Basis
from mig_fleet.model.gpus import GpuModel, GpuProfile
from mig_fleet.model.placement import Verdict
from mig_fleet.model.profiles import Profile

LEAST_COVERAGE: Final = 0.7
LEAST_SAVING: Final = 0.1
"""Share of the GPU; a smaller one is not worth a change of nodes."""
SATURATED: Final = 0.95


@dataclass(frozen=True, slots=True)
class Decision:
    """An outcome, the sentence that explains it, and what to do if the slices can be smaller."""

    outcome: Outcome
    reason: str
    replacement: Replacement | None = None


def decide(
    gpu: GpuModel, group: Mapping[str, int], name: str, use: Use, needed: Needs | None, basis: Basis
) -> Decision:
    """What to do with the slices of profile ``name`` among the profiles of a GPU, in canonical spelling."""
    if Profile.parse(name).is_split:
        return Decision(Outcome.UNPROVEN, "a part of a GPU instance shares its memory, so it has no size of its own")
    if is_heterogeneous(gpu, group):
        why = "slices of different sizes share a GPU, and the larger ones are busier than reported"
        return Decision(Outcome.HETEROGENEOUS, f"{why} (NVIDIA/DCGM issues 138 and 248)")
    if needed is None or use.coverage < LEAST_COVERAGE:
        return Decision(Outcome.NOT_ENOUGH_HISTORY, _history(use))
    if always := _always_busy(use):
        return Decision(Outcome.SATURATED, f"{always}; a larger profile may be needed")
    if use.preallocated:
        why = "a server reserves its memory at the start; size it by the server's own metrics, such as its KV cache"
        return Decision(Outcome.PREALLOCATED, why)
    return _by_needs(gpu, group, gpu.profile(name), name, needed, basis)


def is_heterogeneous(gpu: GpuModel, group: Mapping[str, int]) -> bool:
    """Whether the slices of a GPU differ in compute or memory slices; suffixes do not matter."""
    rows = [gpu.profile(name) for name in group]
    return len({(row.compute_slices, row.memory_slices) for row in rows}) > 1


def _by_needs(
    gpu: GpuModel, group: Mapping[str, int], row: GpuProfile, name: str, needed: Needs, basis: Basis
) -> Decision:
    unproven = [
        f"the memory of {other.name}"
        for other in smaller_profiles(gpu, row, needed.are_met_apart_from_memory, basis)
        if memory_of(other) is None
    ]
    kept = _tight(row, needed) or "no cheaper profile is large enough"
    for other in smaller_profiles(gpu, row, needed.are_met_by, basis):
        match replace(gpu, group, name, other):
            case Replacement() as found if found.saving > LEAST_SAVING:
                return Decision(Outcome.SMALLER, f"{other.name} is large enough", found)
            case Replacement() as found:
                only = f"a GPU holds only {found.count} of it in place of {group[name]}"
                kept = f"{other.name} is large enough, but {only}, which saves too little"
                break
            case Verdict.UNPROVEN:
                unproven.append(f"whether {other.name} can be placed")
    if unproven:
        return Decision(Outcome.UNPROVEN, f"no source states {' and '.join(unproven)} on {gpu.name}")
    return Decision(Outcome.KEEP, kept)


def _history(use: Use) -> str:
    if not use.slices:
        return "no node of its pools is known"
    if use.missing and use.reported:
        return f"nothing was recorded in {', '.join(use.missing)} while a pod had a slice"
    measured = f"{use.coverage:.0%} of the slices' time was measured while a pod had them"
    return f"{measured}, of the {use.reported:.0%} that was reported at all; {LEAST_COVERAGE:.0%} are needed"


def _always_busy(use: Use) -> str:
    """The first of compute and bandwidth that a slice uses nearly always in full; empty if none."""
    for what, share in (("compute", use.busy), ("memory bandwidth", use.bandwidth)):
        if share is not None and share >= SATURATED:
            return f"the {what} of a slice is in full use"
    return ""


def _tight(row: GpuProfile, needed: Needs) -> str:
    """What the needs exceed of the profile itself; empty if nothing."""
    memory = memory_of(row)
    exceeded = {
        "compute": needed.compute > row.compute_slices,
        "bandwidth": needed.bandwidth > row.memory_slices,
        "memory": memory is not None and needed.memory > memory,
    }
    names = " and ".join(what for what, is_exceeded in exceeded.items() if is_exceeded)
    return f"it has less headroom than recommended: {names}" if names else ""
