"""What fits on a GPU, found without bit masks and compiled profiles: by trying every choice of published starts with
sets of slices.
"""

from collections import Counter

from mig_fleet.model.gpus import GpuModel
from mig_fleet.model.placement import Placement


def placeable_sets(model: GpuModel, most: int) -> set[tuple[str, ...]]:
    """The multisets (sorted) of up to ``most`` profiles that disjoint published starts allow, grown one instance at
    a time.
    """
    ranges = {
        (name, frozenset(range(start, start + row.size)))
        for name, row in model.profiles.items()
        for start in row.starts
    }
    states: set[tuple[tuple[str, ...], frozenset[int]]] = {((), frozenset())}
    found: set[tuple[str, ...]] = {()}
    for _ in range(most):
        states = {
            (tuple(sorted((*names, name))), taken | slices)
            for names, taken in states
            for name, slices in ranges
            if not taken & slices
        }
        found |= {names for names, _ in states}
    return found


def limits_hold(model: GpuModel, names: tuple[str, ...]) -> bool:
    """Whether the limits that do not depend on placements hold: slices, instances, engines, counts per profile."""
    rows = [model.profiles[name] for name in names]
    engines = all(
        total is None or sum((tuple(row.engines)[index] or 0) for row in rows) <= total
        for index, total in enumerate(model.engines)
    )
    return (
        engines
        and sum(row.compute_slices for row in rows) <= model.compute_slices
        and len(rows) <= model.max_gpu_instances
        and all(count <= model.profiles[name].max_instances for name, count in Counter(names).items())
    )


def are_valid(model: GpuModel, placements: tuple[Placement, ...]) -> bool:
    """Whether each instance has a published start, is within the GPU, and none overlap."""
    rows = [model.profile(place.profile) for place in placements]
    taken = [slice_ for place in placements for slice_ in range(place.start, place.start + place.size)]
    return (
        all(place.start in row.starts and place.size == row.size for place, row in zip(placements, rows, strict=True))
        and len(taken) == len(set(taken))
        and max(taken, default=0) < model.memory_slices
    )


def creatable(model: GpuModel, order: tuple[str, ...]) -> bool:
    """Whether a driver that takes the highest free start creates all of them in this order."""
    taken: set[int] = set()
    for name in order:
        row = model.profile(name)
        places = [set(range(start, start + row.size)) for start in row.starts]
        free = [place for place in places if taken.isdisjoint(place)]
        if not free:
            return False
        taken |= max(free, key=min)
    return True
