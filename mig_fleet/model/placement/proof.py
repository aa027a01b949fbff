"""A proof that a GPU can, or cannot, be cut in a given way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from mig_fleet.model.gpus import Geometry, GpuModel, Places, find
from mig_fleet.model.placement.driver import creation
from mig_fleet.model.placement.grid import grid_of
from mig_fleet.model.placement.kept import counts_of, standing
from mig_fleet.model.placement.nearest import nearest
from mig_fleet.model.placement.placed import Placement, mask_of
from mig_fleet.model.placement.reasons import explain
from mig_fleet.model.placement.request import canonical, instances_of, spoken, unsourced_parts
from mig_fleet.model.profiles import Profile


class Verdict(StrEnum):
    """Unproven is an answer of its own: the sources do not settle it, so neither yes nor no would be true."""

    FEASIBLE = "feasible"
    IMPOSSIBLE = "impossible"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known about ``request`` on ``gpu``.

    ``placements`` (by start, the kept ones among them) and ``order`` (GPU instances to create, first to last) are empty
    unless it :attr:`fits`; the places are those to which the order leads a driver that takes the highest free start.
    ``confidence`` is the weakest source behind the placements, ``requires`` what else must
    hold.
    """

    gpu: GpuModel
    request: tuple[tuple[str, int], ...]
    kept: tuple[Placement, ...]
    verdict: Verdict
    placements: tuple[Placement, ...]
    order: tuple[str, ...]
    confidence: str
    requires: tuple[str, ...]

    def __bool__(self) -> bool:
        """True for a proven yes only."""
        return self.verdict is Verdict.FEASIBLE

    @property
    def fits(self) -> bool:
        """True where the places are settled, also for the unproven: a profile that boards call by different names has
        a place on each of them, yet no name is right for all.
        """
        return bool(self) or bool(self.placements)

    @property
    def reason(self) -> str:
        """One sentence that a person can check by hand against ``nvidia-smi mig -lgipp``."""
        return explain(self)

    @property
    def nearest(self) -> tuple[Mapping[str, int], ...]:
        """Up to three maximal layouts that do fit, the one that changes the fewest slices first; empty unless
        impossible. Where boards differ in names there may be some that are unproven: see :meth:`is_proven`.
        """
        return nearest(self) if self.verdict is Verdict.IMPOSSIBLE else ()

    def is_proven(self, layout: Mapping[str, int]) -> bool:
        """Whether another layout is proven in place of the request, beside what is kept. Raises what :func:`prove`
        raises.
        """
        return bool(prove(self.gpu, layout, self.kept))


def prove(
    gpu: GpuModel | str, profiles: Mapping[str, int] | Iterable[str | Profile], keep: Iterable[Placement] = ()
) -> Proof:
    """Whether one GPU can hold these profiles beside the instances in ``keep``, which stay where they are.

    Compute-instance splits are packed into GPU instances: 3 × ``1c.3g.40gb`` need one ``3g.40gb``. Those of which no
    source says that they exist are unproven.
    Raises UnknownGpu, AmbiguousGpu, UnknownProfile, InvalidProfile, InvalidCount, InvalidRequest; InvalidPlacement and
    UnsettledGpu for instances that cannot be kept.
    """
    model = gpu if isinstance(gpu, GpuModel) else find(gpu)
    request = canonical(model, profiles)
    kept = standing(model, keep)
    grid = grid_of(model)
    counts = [0] * len(grid.kinds)
    for name, count in instances_of(model, request).items():
        counts[grid.by_name[name].index] = count
    totals = [a + b for a, b in zip(counts, counts_of(model, kept), strict=True)]

    if not grid.within_limits(totals):
        return _no(model, request, kept)
    wanted = grid.flatten(counts)
    if model.geometry is not Geometry.ESTABLISHED or any(not kind.masks for kind in wanted):
        return _unproven(model, request, kept)
    found = creation(wanted, mask_of(kept))
    if found is None:
        return _no(model, request, kept)
    if unsourced_parts(model, request):
        return _unproven(model, request, kept)
    names = {kind.name for kind, count in zip(grid.kinds, totals, strict=True) if count}
    own_names = spoken(model, request)
    placed = [Placement(own_names.get(kind.name, kind.name), start, kind.size) for kind, start in found.steps]
    return Proof(
        model,
        request,
        kept,
        Verdict.UNPROVEN if own_names else Verdict.FEASIBLE,
        tuple(sorted((*placed, *kept), key=lambda placement: placement.start)),
        tuple(placement.profile for placement in placed),
        _confidence(model, names),
        (*_requirements(model, names, own_names), *found.requires),
    )


def _no(gpu: GpuModel, request: tuple[tuple[str, int], ...], kept: tuple[Placement, ...]) -> Proof:
    return Proof(gpu, request, kept, Verdict.IMPOSSIBLE, (), (), "none", ())


def _unproven(gpu: GpuModel, request: tuple[tuple[str, int], ...], kept: tuple[Placement, ...]) -> Proof:
    return Proof(gpu, request, kept, Verdict.UNPROVEN, (), (), "none", ())


_STRENGTH = tuple(Places)


def _confidence(gpu: GpuModel, names: Iterable[str]) -> str:
    words = {gpu.profiles[name].placement_confidence for name in names}
    return max(words, key=_STRENGTH.index, default=Places.OUTPUT)


def _requirements(gpu: GpuModel, names: set[str], own_names: Mapping[str, str]) -> tuple[str, ...]:
    drivers: dict[str, list[str]] = {}
    for name in sorted(names):
        driver = gpu.profiles[name].driver_min or gpu.driver_min or ""
        drivers.setdefault(driver, []).append(own_names.get(name, name))
    for rule in gpu.driver_rules:
        if names.issuperset(rule.profiles):
            drivers.setdefault(rule.driver_min, []).append(" with ".join(rule.profiles))
    return tuple(
        f"driver {driver} or newer for {', '.join(whom)}" for driver, whom in sorted(drivers.items()) if driver
    )
