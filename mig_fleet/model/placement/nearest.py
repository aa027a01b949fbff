"""The layouts that do fit, nearest to one that does not."""

from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from mig_fleet.model.gpus import GpuModel
from mig_fleet.model.placement.grid import grid_of, search
from mig_fleet.model.placement.kept import counts_of
from mig_fleet.model.placement.maximal import Layout, maximal_counts, named
from mig_fleet.model.placement.placed import mask_of
from mig_fleet.model.placement.request import instances_of, spoken

if TYPE_CHECKING:
    from mig_fleet.model.placement.proof import Proof


def nearest(proof: "Proof", limit: int = 3) -> tuple[Layout, ...]:
    """Maximal layouts that hold the kept instances and differ from the request by the fewest memory slices.

    Variants with suffixes, ``1g.24gb-me``, are proposed only to those who asked for one or have one. The kept instances
    are not part of the answer. Where boards differ in names the answer has those of the boards that the request names;
    to a request that names no board, layouts that all boards call the same come first.
    """
    grid, kept = grid_of(proof.gpu), counts_of(proof.gpu, proof.kept)
    asked = {grid.by_name[name].index: count for name, count in instances_of(proof.gpu, proof.request).items()}
    wanted = [(kind, asked.get(kind.index, 0) + kept[kind.index]) for kind in grid.kinds]
    wanted = [(kind, count) for kind, count in wanted if count]

    disputed = () if spoken(proof.gpu, proof.request) else _disputed(proof.gpu)

    def distance(candidate: _Candidate) -> tuple[bool, int, int]:
        # What is not wanted differs by all that is there; equals stay in the order of maximal layouts.
        slices, instances = candidate.slices, candidate.instances
        for kind, count in wanted:
            have = candidate.counts[kind.index]
            change = abs(have - count) - have
            slices += change * kind.size
            instances += change
        return any(candidate.counts[index] > kept[index] for index in disputed), slices, instances

    allowed = sum(1 << kind.index for kind, _ in wanted)
    fair = [candidate for candidate in _candidates(proof.gpu) if not candidate.suffixed & ~allowed]
    others = _other_names(proof)
    answers: list[Layout] = []
    for candidate in sorted(fair, key=distance):
        rest = tuple(have - keep for have, keep in zip(candidate.counts, kept, strict=True))
        if not proof.kept or _fits_beside(proof, rest):
            layout = named(proof.gpu, rest)
            answers.append(MappingProxyType({others.get(name, name): count for name, count in layout.items()}))
            if len(answers) == limit:
                break
    return tuple(answers)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A maximal layout: counts of the grid's kinds, memory slices and instances in all, kinds with a suffix as bits."""

    counts: tuple[int, ...]
    slices: int
    instances: int
    suffixed: int


@cache
def _candidates(gpu: GpuModel) -> tuple[_Candidate, ...]:
    kinds = grid_of(gpu).kinds
    suffixed = [kind.index for kind in kinds if not gpu.profiles[kind.name].profile.is_plain]
    return tuple(
        _Candidate(
            counts,
            sum(count * kind.size for kind, count in zip(kinds, counts, strict=True)),
            sum(counts),
            sum(1 << index for index in suffixed if counts[index]),
        )
        for counts in maximal_counts(gpu)
    )


@cache
def _disputed(gpu: GpuModel) -> tuple[int, ...]:
    """The kinds of the grid that boards call by different names."""
    return tuple(kind.index for kind in grid_of(gpu).kinds if gpu.profiles[kind.name].alternate_names)


def _fits_beside(proof: "Proof", counts: tuple[int, ...]) -> bool:
    if min(counts) < 0 or not any(counts):
        return False
    return search(grid_of(proof.gpu).flatten(counts), mask_of(proof.kept)) is not None


def _other_names(proof: "Proof") -> dict[str, str]:
    """What the boards whose names the request has call profiles, by the catalog's names."""
    own_names = spoken(proof.gpu, proof.request)
    rows = [proof.gpu.profiles[name] for name in own_names]
    boards = {it.where for row in rows for it in row.alternate_names if it.name == own_names[row.name]}
    if not boards:
        return {}
    rows = list(proof.gpu.profiles.values())
    return {row.name: it.name for row in rows for it in row.alternate_names if it.where in boards}
