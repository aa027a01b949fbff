"""The exact search: profiles as bit masks over memory slices.

A GPU has at most 12 memory slices and 7 instances, so a depth-first search over starts decides every question in
microseconds; no heuristics, no tables that could disagree with the catalog.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from mig_fleet.model.gpus import GpuModel, GpuProfile

UNLIMITED = 1 << 30


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """A profile, compiled. ``masks`` holds (start, bits it takes), highest start first: the order in which drivers
    try.
    """

    index: int
    name: str
    compute: int
    size: int
    max_instances: int
    engines: tuple[int, ...]
    masks: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A GPU model, compiled. ``kinds`` are in creation order: largest first, and of equal size the one with fewer
    starts first.
    """

    kinds: tuple[Kind, ...]
    by_name: dict[str, Kind]
    compute: int
    memory: int
    instances: int
    engines: tuple[int, ...]

    def within_limits(self, counts: Sequence[int]) -> bool:
        """The limits that hold wherever the instances stand."""
        instances = compute = 0
        engines = [0] * len(self.engines)
        for kind, count in zip(self.kinds, counts, strict=True):
            if count:
                instances += count
                compute += kind.compute * count
                if count > kind.max_instances or instances > self.instances or compute > self.compute:
                    return False
                for engine, each in enumerate(kind.engines):
                    engines[engine] += each * count
        return all(needed <= limit for needed, limit in zip(engines, self.engines, strict=True))

    def flatten(self, counts: Sequence[int]) -> list[Kind]:
        """The instances one by one, in creation order."""
        return [kind for kind, count in zip(self.kinds, counts, strict=True) for _ in range(count)]


@cache
def grid_of(gpu: GpuModel) -> Grid:
    """The compiled form of a model; an engine count that no source gives limits nothing."""
    rows = sorted(gpu.profiles.values(), key=_creation_order)
    kinds = tuple(
        Kind(
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
        kinds,
        {kind.name: kind for kind in kinds},
        gpu.compute_slices,
        gpu.memory_slices,
        gpu.max_gpu_instances,
        engines,
    )


def _creation_order(row: GpuProfile) -> tuple[int, int, int, str]:
    return (-row.memory_slices, -row.compute_slices, len(row.starts), row.name)


def search(kinds: Sequence[Kind], taken: int = 0) -> list[int] | None:
    """A start for each instance such that none overlap and none touches ``taken``; None when there is no such choice.

    ``kinds`` must hold equal kinds next to each other: their starts descend, so that each choice is tried once.
    """
    starts = [0] * len(kinds)

    def place(position: int, taken: int) -> bool:
        if position == len(kinds):
            return True
        kind = kinds[position]
        ceiling = starts[position - 1] if position and kinds[position - 1] is kind else UNLIMITED
        for start, mask in kind.masks:
            if start < ceiling and not taken & mask:
                starts[position] = start
                if place(position + 1, taken | mask):
                    return True
        return False

    return starts if place(0, taken) else None
