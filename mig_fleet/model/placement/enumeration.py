"""All layouts of a GPU: the feasible and the maximal ones."""

from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType

from mig_fleet.model.gpus import Geometry, GpuModel, find
from mig_fleet.model.placement.grid import grid_of, search
from mig_fleet.model.placement.kept import counts_of, validated_placements
from mig_fleet.model.placement.placed import Placement, mask_of

CountedProfiles = Mapping[str, int]
"""Instances of one GPU by profile, under the catalog's names, without zeros."""


def feasible(gpu: GpuModel | str) -> tuple[CountedProfiles, ...]:
    """Every multiset of profiles that fits, including the empty one; empty for a model without established geometry."""
    model = find(gpu)
    return tuple(counted_profiles(model, counts) for counts in _feasible(model))


def maximal(gpu: GpuModel | str, keep: Iterable[Placement] = ()) -> tuple[CountedProfiles, ...]:
    """The feasible layouts to which no instance can be added, largest instances first.

    With ``keep``: the instances that fit beside these, which are not moved and not part of the answer; nothing if
    nothing fits. Raises what :func:`~mig_fleet.model.placement.prove` raises for instances that cannot be kept.
    """
    model = find(gpu)
    counts = maximal_counts(model, validated_placements(model, keep))
    return tuple(counted_profiles(model, each) for each in counts if any(each))


@cache
def _feasible(gpu: GpuModel, kept: tuple[Placement, ...] = ()) -> tuple[tuple[int, ...], ...]:
    """Adding instances never makes an impossible layout possible, so growing from nothing finds every feasible one."""
    grid, present, taken = grid_of(gpu), counts_of(gpu, kept), mask_of(kept)
    found: list[tuple[int, ...]] = []

    def grow(counts: tuple[int, ...], first: int) -> None:
        found.append(counts)
        for index in range(first, len(counts)):
            more = (*counts[:index], counts[index] + 1, *counts[index + 1 :])
            total = [new + old for new, old in zip(more, present, strict=True)]
            if grid.within_limits(total) and search(grid.flatten(more), taken) is not None:
                grow(more, index)

    if gpu.geometry is Geometry.ESTABLISHED:
        grow((0,) * len(grid.profiles), 0)
    return tuple(found)


@cache
def maximal_counts(gpu: GpuModel, kept: tuple[Placement, ...] = ()) -> tuple[tuple[int, ...], ...]:
    """The maximal layouts, or what fits beside kept instances, as counts of the grid's profiles, largest instances
    first.
    """
    known = set(_feasible(gpu, kept))
    return tuple(
        sorted(
            (
                counts
                for counts in known
                if not any((*counts[:i], counts[i] + 1, *counts[i + 1 :]) in known for i in range(len(counts)))
            ),
            reverse=True,
        )
    )


def counted_profiles(gpu: GpuModel, counts: tuple[int, ...]) -> CountedProfiles:
    """Counts of the grid's profiles by name."""
    return MappingProxyType(
        {profile.name: count for profile, count in zip(grid_of(gpu).profiles, counts, strict=True) if count}
    )
