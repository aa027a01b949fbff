"""The profile that could replace another one on a GPU, and how many slices of it the GPU holds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mig_fleet.model.cost import Basis, shares
from mig_fleet.model.gpus import GpuModel, GpuProfile
from mig_fleet.model.placement import Verdict, prove

Fits = Callable[[GpuProfile], bool]


@dataclass(frozen=True, slots=True)
class Replacement:
    """``count`` slices of ``profile`` in place of those of another profile, on each GPU of a group."""

    profile: str
    count: int
    saving: float
    """Share of the GPU, 0 to 1, that the slices of today do not need any more."""


def smaller_profiles(gpu: GpuModel, profile: GpuProfile, fits: Fits, basis: Basis) -> list[GpuProfile]:
    """The profiles that cost less than this one and fit, the cheapest first. They have the same suffixes: media
    extensions or graphics are not given up.
    """
    suffixes = (profile.profile.attributes, profile.profile.removed)
    found = [
        (share, row.name, row)
        for row in gpu.profiles.values()
        if (share := _share(gpu, row, basis)) < _share(gpu, profile, basis)
        and (row.profile.attributes, row.profile.removed) == suffixes
        and fits(row)
    ]
    return [row for _, _, row in sorted(found, key=lambda each: each[:2])]


def replace(gpu: GpuModel, group: Mapping[str, int], old: str, new: GpuProfile) -> Replacement | Verdict:
    """As many slices of ``new`` as a GPU is proven to hold beside its other profiles, at least as many as of ``old``.

    If there are none, whether that is impossible or unproven.
    """
    before, verdict = group[old], Verdict.IMPOSSIBLE
    for count in range(max(new.max_instances, before), before - 1, -1):
        proof = prove(gpu, replaced(group, old, new.name, count))
        if proof:
            return Replacement(new.name, count, _part(gpu, group, old) * (1 - before / count))
        if proof.verdict is Verdict.UNPROVEN:
            verdict = Verdict.UNPROVEN
    return verdict


def replaced(group: Mapping[str, int], old: str, new: str, count: int) -> dict[str, int]:
    """The profiles of a GPU with ``count`` of ``new`` in place of all of ``old``, which has another name."""
    return dict((new, count) if name == old else (name, number) for name, number in group.items())


def _share(gpu: GpuModel, profile: GpuProfile, basis: Basis) -> float:
    return shares(gpu, {profile.name: 1}, basis)[profile.name]


def _part(gpu: GpuModel, group: Mapping[str, int], old: str) -> float:
    """The part of the GPU that the slices of ``old`` and no other profile can have."""
    each = shares(gpu, group)
    return 1.0 - sum(each[name] * count for name, count in group.items() if name != old)
