"""All layouts of a GPU: the feasible ones, the maximal ones, and how much still fits beside what stands there."""

from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType

from mig_fleet.model.gpus import Geometry, GpuModel, find
from mig_fleet.model.placement.grid import grid_of, search
from mig_fleet.model.placement.kept import counts_of, settled, standing
from mig_fleet.model.placement.placed import Placement, mask_of

Layout = Mapping[str, int]


def feasible(gpu: GpuModel | str) -> tuple[Layout, ...]:
    """Every multiset of profiles that fits, the empty one included; empty for a model whose geometry is not
    established.
    """
    model = gpu if isinstance(gpu, GpuModel) else find(gpu)
    return tuple(named(model, counts) for counts in _feasible(model))


def maximal(gpu: GpuModel | str) -> tuple[Layout, ...]:
    """The feasible layouts to which no instance can be added, largest instances first."""
    model = gpu if isinstance(gpu, GpuModel) else find(gpu)
    return tuple(named(model, counts) for counts in maximal_counts(model))


def room(gpu: GpuModel | str, kept: Iterable[Placement]) -> Layout:
    """How many more instances of each profile fit beside those that stay where they are, zeros included.

    Each number is for that profile alone, under the catalog's name of it. Unlike the "Instances Free" of ``nvidia-smi
    mig -lgip`` it can be relied on, so it is refused where no source settles the placements: raises UnsettledGpu,
    and InvalidPlacement or InvalidRequest for instances that cannot stand so.
    """
    model = gpu if isinstance(gpu, GpuModel) else find(gpu)
    settled(model)
    grid, present = grid_of(model), standing(model, kept)
    counts = counts_of(model, present)
    found = {}
    for kind in grid.kinds:
        more = 0
        while grid.within_limits([*counts[: kind.index], counts[kind.index] + more + 1, *counts[kind.index + 1 :]]):
            if search([kind] * (more + 1), mask_of(present)) is None:
                break
            more += 1
        found[kind.name] = more
    return MappingProxyType(found)


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
        grow((0,) * len(grid.kinds), 0)
    return tuple(found)


@cache
def maximal_counts(gpu: GpuModel) -> tuple[tuple[int, ...], ...]:
    """The maximal layouts as counts of the grid's kinds, largest instances first."""
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


def named(gpu: GpuModel, counts: tuple[int, ...]) -> Layout:
    """Counts of the grid's kinds as a layout."""
    return MappingProxyType({kind.name: count for kind, count in zip(grid_of(gpu).kinds, counts, strict=True) if count})
