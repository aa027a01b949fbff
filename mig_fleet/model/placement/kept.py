"""Instances that stand on a GPU already and stay where they are."""

from collections.abc import Iterable

from mig_fleet.model.errors import InvalidPlacement, InvalidRequest, UnsettledGpu
from mig_fleet.model.gpus import Geometry, GpuModel
from mig_fleet.model.placement.grid import Grid, Kind, grid_of
from mig_fleet.model.placement.placed import Placement, mask_of


def standing(gpu: GpuModel, placements: Iterable[Placement]) -> tuple[Placement, ...]:
    """The instances by start, once it is sure that each can stand where it is said to and that none overlap.

    Raises InvalidPlacement, InvalidRequest for what is no placement, InvalidProfile, UnknownProfile.
    """
    if isinstance(placements, str) or not isinstance(placements, Iterable):
        raise InvalidRequest("instances to keep", placements, "a list of Placement, such as a proof's placements")
    grid, present = grid_of(gpu), list(placements)
    for placement in present:
        _check(gpu, grid, placement)
    if mask_of(present).bit_count() != sum(placement.size for placement in present):
        raise InvalidPlacement(", ".join(map(str, present)), "they overlap each other")
    return tuple(sorted(present, key=lambda placement: placement.start))


def counts_of(gpu: GpuModel, placements: Iterable[Placement]) -> list[int]:
    """How many instances of each kind of the grid these are."""
    grid = grid_of(gpu)
    counts = [0] * len(grid.kinds)
    for placement in placements:
        counts[_kind(gpu, grid, placement).index] += 1
    return counts


def settled(gpu: GpuModel) -> None:
    """Raises UnsettledGpu for a model of which no source settles the placements: no number about it could be relied
    on.
    """
    if gpu.geometry is not Geometry.ESTABLISHED:
        raise UnsettledGpu(gpu.name)


def _check(gpu: GpuModel, grid: Grid, placement: Placement) -> None:
    if not isinstance(placement, Placement):
        raise InvalidRequest("an instance to keep", placement, "a Placement, such as Placement('3g.40gb', 0, 4)")
    kind = _kind(gpu, grid, placement)
    starts = [start for start, _ in reversed(kind.masks)]
    if not starts:
        raise UnsettledGpu(gpu.name)
    is_whole = type(placement.start) is type(placement.size) is int  # 0.0 and False would pass for 0
    if not is_whole or placement.size != kind.size or placement.start not in starts:
        listed = ", ".join(map(str, starts))
        why = f"{kind.name} on {gpu.name} takes {kind.size} memory slices and starts at {listed}"
        raise InvalidPlacement(str(placement), why)


def _kind(gpu: GpuModel, grid: Grid, placement: Placement) -> Kind:
    return grid.by_name[gpu.profile(placement.profile).name]
