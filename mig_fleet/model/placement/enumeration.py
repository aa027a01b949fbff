"""All layouts of a GPU: the feasible and the maximal ones."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from mig_fleet.model.gpus import Geometry, GpuModel, find
from mig_fleet.model.placement.grid import grid_of, search

CountedProfiles = Mapping[str, int]
"""Instances of one GPU by profile, under the catalog's names, without zeros."""


def feasible(gpu: GpuModel | str) -> tuple[CountedProfiles, ...]:
    """Every multiset of profiles that fits, including the empty one; empty for a model without established geometry."""
    model = find(gpu)
    return tuple(counted_profiles(model, counts) for counts in _feasible(model))


def maximal(gpu: GpuModel | str) -> tuple[CountedProfiles, ...]:
    """The feasible layouts to which no instance can be added, largest instances first."""
    model = find(gpu)
    return tuple(counted_profiles(model, counts) for counts in maximal_counts(model))


@cache
def _feasible(gpu: GpuModel) -> tuple[tuple[int, ...], ...]:
    """Adding instances never makes an impossible layout possible, so growing from nothing finds every feasible one."""
    grid = grid_of(gpu)
    found: list[tuple[int, ...]] = []

    def grow(counts: tuple[int, ...], first: int) -> None:
        found.append(counts)
        for index in range(first, len(counts)):
            more = (*counts[:index], counts[index] + 1, *counts[index + 1 :])
            if grid.within_limits(more) and search(grid.flatten(more)) is not None:
                grow(more, index)

    if gpu.geometry is Geometry.ESTABLISHED:
        grow((0,) * len(grid.profiles), 0)
    return tuple(found)


@cache
def maximal_counts(gpu: GpuModel) -> tuple[tuple[int, ...], ...]:
    """The maximal layouts as counts of the grid's profiles, largest instances first."""
    known = set(_feasible(gpu))
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
