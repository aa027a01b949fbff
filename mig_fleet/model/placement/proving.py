"""Proves that one GPU can, or cannot, hold the requested profiles."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from mig_fleet.model.gpus import Geometry, GpuModel, Places, find
from mig_fleet.model.placement.confirmation import NOTHING, Confirmed
from mig_fleet.model.placement.creation_order import find_creation_order
from mig_fleet.model.placement.grid import grid_of
from mig_fleet.model.placement.kept import counts_of, validated_placements
from mig_fleet.model.placement.placed import Placement, mask_of
from mig_fleet.model.placement.proof import Proof, Verdict
from mig_fleet.model.placement.request import board_specific_names, canonical, instances_of, unsourced_parts
from mig_fleet.model.profiles import Profile


def prove(
    gpu: GpuModel | str,
    profiles: Mapping[str, int] | Iterable[str | Profile],
    keep: Iterable[Placement] = (),
    confirmed: Confirmed = NOTHING,
) -> Proof:
    """Whether one GPU can hold these profiles beside the instances in ``keep``, which are not moved. ``confirmed`` is
    what boards of the user's showed about this request.

    Parts of a GPU instance are packed into instances: 3 × ``1c.3g.40gb`` need one ``3g.40gb``. Parts that no source
    lists are unproven.
    Raises UnknownGpu, AmbiguousGpu, UnknownProfile, InvalidProfile, InvalidCount, InvalidRequest; InvalidPlacement and
    UnverifiedGeometry for instances that cannot be kept.
    """
    model = find(gpu)
    request = canonical(model, profiles)
    kept = validated_placements(model, keep)
    grid = grid_of(model)
    counts = [0] * len(grid.profiles)
    for name, count in instances_of(model, request).items():
        counts[grid.by_name[name].index] = count
    totals = [a + b for a, b in zip(counts, counts_of(model, kept), strict=True)]

    if not grid.within_limits(totals):
        return _without_placements(model, request, kept, Verdict.IMPOSSIBLE)
    instances = grid.flatten(counts)
    if model.geometry is not Geometry.ESTABLISHED or any(not profile.places for profile in instances):
        if confirmed.slices and not kept:
            shown = (f"the slices that a GPU had: {confirmed.slices}",)
            return replace(_without_placements(model, request, kept, Verdict.FEASIBLE), requires=shown)
        return _without_placements(model, request, kept, Verdict.UNPROVEN)
    found = find_creation_order(instances, mask_of(kept))
    if found is None:
        return _without_placements(model, request, kept, Verdict.IMPOSSIBLE)
    if unsourced_parts(model, request):
        return _without_placements(model, request, kept, Verdict.UNPROVEN)
    names = {profile.name for profile, count in zip(grid.profiles, totals, strict=True) if count}
    own_names = board_specific_names(model, request)
    placed = [
        Placement(own_names.get(profile.name, profile.name), start, profile.size) for profile, start in found.steps
    ]
    return Proof(
        model,
        request,
        kept,
        Verdict.UNPROVEN if own_names and not confirmed.names_shown_by else Verdict.FEASIBLE,
        tuple(sorted((*placed, *kept), key=lambda placement: placement.start)),
        tuple(placement.profile for placement in placed),
        _confidence(model, names),
        (*_requirements(model, names, own_names), *_names_needed(own_names, confirmed), *found.requires),
    )


def _names_needed(own_names: Mapping[str, str], confirmed: Confirmed) -> tuple[str, ...]:
    if not own_names or not confirmed.names_shown_by:
        return ()
    return (f"boards with {', '.join(sorted(own_names.values()))}, as shown: {confirmed.names_shown_by}",)


def _without_placements(
    gpu: GpuModel, request: tuple[tuple[str, int], ...], kept: tuple[Placement, ...], verdict: Verdict
) -> Proof:
    return Proof(gpu, request, kept, verdict, (), (), "none", ())


_STRENGTH = tuple(Places)


def _confidence(gpu: GpuModel, names: Iterable[str]) -> str:
    sources = {gpu.profiles[name].placement_confidence for name in names}
    return max(sources, key=_STRENGTH.index, default=Places.OUTPUT)


def _requirements(gpu: GpuModel, names: set[str], own_names: Mapping[str, str]) -> tuple[str, ...]:
    drivers: dict[str, list[str]] = {}
    for name in sorted(names):
        driver = gpu.profiles[name].driver_min or gpu.driver_min or ""
        drivers.setdefault(driver, []).append(own_names.get(name, name))
    for rule in gpu.driver_rules:
        if names.issuperset(rule.profiles):
            drivers.setdefault(rule.driver_min, []).append(" with ".join(rule.profiles))
    return tuple(
        f"driver {driver} or newer for {', '.join(profiles)}" for driver, profiles in sorted(drivers.items()) if driver
    )
