"""The exact search: profiles as bit masks over memory slices.

A GPU has at most 12 memory slices and 7 instances, so a depth-first search over starts decides every question in
microseconds; no heuristics, no tables that could contradict the catalog.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from mig_fleet.model.gpus import GpuModel, GpuProfile

UNLIMITED = 1 << 30

Place = tuple[int, int]
"""A start, and the memory slices of an instance at this start as bits."""


@dataclass(frozen=True, slots=True, eq=False)
class CompiledProfile:
    """A profile as numbers. ``places`` are all of its places, the highest start first, as drivers try them."""

    index: int
    name: str
    compute: int
    size: int
    max_instances: int
    engines: tuple[int, ...]
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A GPU model as numbers. ``profiles`` are in creation order: largest first, and of equal size the one with fewer
    starts first.
    """

    profiles: tuple[CompiledProfile, ...]
    by_name: dict[str, CompiledProfile]
    compute: int
    memory: int
    instances: int
    engines: tuple[int, ...]

    def within_limits(self, counts: Sequence[int]) -> bool:
        """Whether counts, one per profile of the grid, respect the limits that do not depend on placements."""
        instances = compute = 0
        engines = [0] * len(self.engines)
        for profile, count in zip(self.profiles, counts, strict=True):
            if count:
                instances += count
                compute += profile.compute * count
                if count > profile.max_instances or instances > self.instances or compute > self.compute:
                    return False
                for engine, each in enumerate(profile.engines):
                    engines[engine] += each * count
        return all(needed <= limit for needed, limit in zip(engines, self.engines, strict=True))

    def flatten(self, counts: Sequence[int]) -> list[CompiledProfile]:
        """The instances one by one, in creation order."""
        return [profile for profile, count in zip(self.profiles, counts, strict=True) for _ in range(count)]


@cache
def grid_of(gpu: GpuModel) -> Grid:
    """The numbers of a model; an engine count that no source gives is no limit."""
    rows = sorted(gpu.profiles.values(), key=_creation_order)
    profiles = tuple(
        CompiledProfile(
            index,
            row.name,
            row.compute_slices,
            row.size,
            row.max_instances,
            tuple(count or 0 for count in row.engines),
            tuple((start, ((1 << row.size) - 1) << start) for start in reversed(row.starts)),
        )
        for index, row in enumerate(rows)
    )
    engines = tuple(UNLIMITED if total is None else total for total in gpu.engines)
    return Grid(
        profiles,
        {profile.name: profile for profile in profiles},
        gpu.compute_slices,
        gpu.memory_slices,
        gpu.max_gpu_instances,
        engines,
    )


def _creation_order(row: GpuProfile) -> tuple[int, int, int, str]:
    return (-row.memory_slices, -row.compute_slices, len(row.starts), row.name)


def search(profiles: Sequence[CompiledProfile], taken: int = 0) -> list[int] | None:
    """A start for each instance such that none overlap each other or ``taken`` (a bit per memory slice); None if there
    is no such choice.

    Equal profiles must be next to each other: their starts descend, so that each choice is tried once.
    """
    starts = [0] * len(profiles)

    def place(position: int, taken: int) -> bool:
        if position == len(profiles):
            return True
        profile = profiles[position]
        ceiling = starts[position - 1] if position and profiles[position - 1] is profile else UNLIMITED
        for start, mask in profile.places:
            if start < ceiling and not taken & mask:
                starts[position] = start
                if place(position + 1, taken | mask):
                    return True
        return False

    return starts if place(0, taken) else None
