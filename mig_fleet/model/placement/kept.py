"""Instances that are on a GPU already and are not moved."""

from collections.abc import Iterable

from mig_fleet.model.errors import InvalidPlacement, InvalidRequest, UnverifiedGeometry
from mig_fleet.model.gpus import Geometry, GpuModel, profile_of
from mig_fleet.model.placement.grid import CompiledProfile, Grid, grid_of
from mig_fleet.model.placement.placed import Placement, mask_of


def validated_placements(gpu: GpuModel, placements: Iterable[Placement]) -> tuple[Placement, ...]:
    """The instances by start, after checking that each has a valid start and size and that none overlap.

    Raises InvalidPlacement, InvalidRequest for anything that is not a placement, InvalidProfile, UnknownProfile.
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
    """The number of instances of each profile of the grid."""
    grid = grid_of(gpu)
    counts = [0] * len(grid.profiles)
    for placement in placements:
        counts[_profile(gpu, grid, placement).index] += 1
    return counts


def require_established_geometry(gpu: GpuModel) -> None:
    """Raises UnverifiedGeometry for a model without established placements: any answer would be a guess."""
    if gpu.geometry is not Geometry.ESTABLISHED:
        raise UnverifiedGeometry(gpu.name)


def _check(gpu: GpuModel, grid: Grid, placement: Placement) -> None:
    if not isinstance(placement, Placement):
        raise InvalidRequest("an instance to keep", placement, "a Placement, such as Placement('3g.40gb', 0, 4)")
    profile = _profile(gpu, grid, placement)
    starts = [start for start, _ in reversed(profile.places)]
    if not starts:
        raise UnverifiedGeometry(gpu.name)
    is_whole = type(placement.start) is type(placement.size) is int  # 0.0 and False are equal to 0
    if not is_whole or placement.size != profile.size or placement.start not in starts:
        listed = ", ".join(map(str, starts))
        why = f"{profile.name} on {gpu.name} takes {profile.size} memory slices and starts at {listed}"
        raise InvalidPlacement(str(placement), why)


def _profile(gpu: GpuModel, grid: Grid, placement: Placement) -> CompiledProfile:
    return grid.by_name[profile_of(gpu, placement.profile).name]
