"""All layouts of a GPU: the feasible ones, the maximal ones, and those nearest to one that does not fit."""

from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from mig.gpus import Geometry, GpuModel, find
from mig.placement.grid import grid_of, search
from mig.placement.kept import counts_of, settled, standing
from mig.placement.placed import Placement, mask_of
from mig.placement.request import instances_of, spoken

if TYPE_CHECKING:
    from mig.placement.proof import Proof

Layout = Mapping[str, int]


def feasible(gpu: GpuModel | str) -> tuple[Layout, ...]:
    """Every multiset of profiles that fits, the empty one included; empty for a model whose geometry is not
    established.
    """
    model = gpu if isinstance(gpu, GpuModel) else find(gpu)
    return tuple(_named(model, counts) for counts in _feasible(model))


def maximal(gpu: GpuModel | str) -> tuple[Layout, ...]:
    """The feasible layouts to which no instance can be added, largest instances first."""
    model = gpu if isinstance(gpu, GpuModel) else find(gpu)
    return tuple(_named(model, counts) for counts in _maximal(model))


def room(gpu: GpuModel | str, kept: Iterable[Placement]) -> Layout:
    """How many more instances of each profile fit beside those that stay where they are, zeros included.

    Each number is for that profile alone, under the catalog's name of it. Unlike the "Instances Free" of ``nvidia-smi
    mig -lgip`` it can be relied on, so it is refused where no source settles the placements: raises UnsettledGpu, and
    InvalidProfile or InvalidRequest for instances that cannot stand so.
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


def nearest(proof: "Proof", limit: int = 3) -> tuple[Layout, ...]:
    """Maximal layouts that hold the kept instances and differ from the request by the fewest memory slices.

    Variants with suffixes, ``1g.24gb-me``, are proposed only to those who asked for one. The kept instances are not
    part of the answer. Where boards differ in names the answer has those of the boards that the request names.
    """
    grid = grid_of(proof.gpu)
    asked = instances_of(proof.gpu, proof.request)
    kept = counts_of(proof.gpu, proof.kept)
    wanted = [asked.get(kind.name, 0) + kept[kind.index] for kind in grid.kinds]

    def distance(counts: tuple[int, ...]) -> tuple[int, int, tuple[int, ...]]:
        changed = [abs(have - want) for have, want in zip(counts, wanted, strict=True)]
        slices = sum(change * kind.size for change, kind in zip(changed, grid.kinds, strict=True))
        return slices, sum(changed), tuple(-count for count in counts)

    answers = []
    for counts in sorted(_maximal(proof.gpu), key=distance):
        rest = tuple(have - keep for have, keep in zip(counts, kept, strict=True))
        names = [kind.name for kind, count in zip(grid.kinds, rest, strict=True) if count > 0]
        plain = all(proof.gpu.profiles[name].profile.is_plain or name in asked for name in names)
        if min(rest) >= 0 and names and plain and search(grid.flatten(rest), mask_of(proof.kept)) is not None:
            answers.append(_renamed(proof, _named(proof.gpu, rest)))
        if len(answers) == limit:
            break
    return tuple(answers)


def _renamed(proof: "Proof", layout: Layout) -> Layout:
    """The layout in the names of the boards whose names the request has."""
    own_names = spoken(proof.gpu, proof.request)
    rows = [proof.gpu.profiles[name] for name in own_names]
    boards = {it.where for row in rows for it in row.alternate_names if it.name == own_names[row.name]}
    others = {name: it.name for name in layout for it in proof.gpu.profiles[name].alternate_names if it.where in boards}
    return MappingProxyType({others.get(name, name): count for name, count in layout.items()})


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
def _maximal(gpu: GpuModel) -> tuple[tuple[int, ...], ...]:
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


def _named(gpu: GpuModel, counts: tuple[int, ...]) -> Layout:
    return MappingProxyType({kind.name: count for kind, count in zip(grid_of(gpu).kinds, counts, strict=True) if count})
