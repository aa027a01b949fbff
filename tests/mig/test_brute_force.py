"""Every proof against an independent brute force: every multiset of up to 7 profiles of every model.

The brute force knows nothing of masks, orders or kinds: it walks all ways to choose published starts and looks at sets
of slices.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import combinations_with_replacement

import pytest

from mig import Verdict, gpus, prove
from mig.gpus import Geometry, GpuModel


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


def multisets(model: GpuModel, most: int) -> Iterator[tuple[str, ...]]:
    for size in range(most + 1):
        yield from combinations_with_replacement(sorted(model.profiles), size)


@pytest.mark.slow
@pytest.mark.parametrize("name", [model.name for model in gpus.all_models()])
def test_every_proof_of_up_to_seven_instances_agrees_with_brute_force(name: str) -> None:
    model = gpus.find(name)
    placeable = placeable_sets(model, 7)
    for names in multisets(model, 7):
        verdict = prove(model, names).verdict
        unnamed = any(len(model.names_of(name)) > 1 for name in names)
        if not limits_hold(model, names):
            assert verdict is Verdict.IMPOSSIBLE, names
        elif model.geometry is not Geometry.ESTABLISHED:
            assert verdict is Verdict.UNPROVEN, names
        else:
            fits = Verdict.UNPROVEN if unnamed else Verdict.FEASIBLE
            assert verdict is (fits if names in placeable else Verdict.IMPOSSIBLE), names
