"""The driver's rule: where a driver places an instance that is created without an explicit start.

NVIDIA does not document the rule. "The highest start that is free" explains every published output we know: ``-cgi
9,19,14,19`` succeeds and ``19,19,14,9`` fails (user guide), 3g before 4g is placed at 4:4 and leaves 0:4 (lgip of an
A100-80GB), 4g, 2g and 1g are placed at 0, 4 and 6. NVIDIA's own mock takes the lowest start instead
(k8s-test-infra#886). We did not verify it on hardware.
"""

from collections.abc import Iterable

from mig_fleet.model.gpus import GpuModel, find, profile_of
from mig_fleet.model.placement.grid import CompiledProfile, Place, grid_of
from mig_fleet.model.placement.kept import counts_of, require_established_geometry, validated_placements
from mig_fleet.model.placement.placed import Placement, mask_of


def driver_choice(gpu: GpuModel | str, present: Iterable[Placement], profile: str) -> Placement | None:
    """Where a driver creates one more instance; None means NVML's "Insufficient Resources".

    Free memory slices and the limits of counts, compute slices and engines all matter. Raises UnverifiedGeometry,
    UnknownProfile, InvalidPlacement, InvalidRequest.
    """
    model = find(gpu)
    require_established_geometry(model)
    grid = grid_of(model)
    compiled = grid.by_name[profile_of(model, profile).name]
    instances = validated_placements(model, present)
    counts = counts_of(model, instances)
    counts[compiled.index] += 1
    if not grid.within_limits(counts):
        return None
    place = highest_free(compiled, mask_of(instances))
    return None if place is None else Placement(compiled.name, place[0], compiled.size)


def highest_free(profile: CompiledProfile, taken: int) -> Place | None:
    """The place by the rule that published outputs show; None if none is free. ``taken`` has a bit per slice."""
    for place in profile.places:
        if not taken & place[1]:
            return place
    return None


def lowest_free(profile: CompiledProfile, taken: int) -> Place | None:
    """The place by the rule of NVIDIA's mock; None if none is free. ``taken`` has a bit per slice."""
    for place in reversed(profile.places):
        if not taken & place[1]:
            return place
    return None
