"""Every proof with its placements and creation order, and every list of layouts, against an independent brute force."""

from collections.abc import Iterator, Mapping
from itertools import combinations_with_replacement

import pytest

from mig_fleet.model import Verdict, gpus, maximal, prove
from mig_fleet.model.gpus import Geometry, GpuModel
from mig_fleet.model.placement import feasible
from tests.model.brute_force import are_valid, creatable, limits_hold, placeable_sets


def multisets(model: GpuModel, most: int) -> Iterator[tuple[str, ...]]:
    for size in range(most + 1):
        yield from combinations_with_replacement(sorted(model.profiles), size)


@pytest.mark.slow
@pytest.mark.parametrize("name", [model.name for model in gpus.all_models()])
def test_every_proof_of_up_to_seven_instances_agrees_with_brute_force(name: str) -> None:
    model = gpus.find(name)
    placeable = placeable_sets(model, 7)
    for names in multisets(model, 7):
        proof = prove(model, names)
        verdict = proof.verdict
        unnamed = any(len(model.names_of(name)) > 1 for name in names)
        if not limits_hold(model, names):
            assert verdict is Verdict.IMPOSSIBLE, names
        elif model.geometry is not Geometry.ESTABLISHED:
            assert verdict is Verdict.UNPROVEN, names
            assert not proof.fits
        elif names not in placeable:
            assert verdict is Verdict.IMPOSSIBLE, names
        else:
            assert verdict is (Verdict.UNPROVEN if unnamed else Verdict.FEASIBLE), names
            assert tuple(sorted(place.profile for place in proof.placements)) == names
            assert tuple(sorted(proof.creation_order)) == names
            assert are_valid(model, proof.placements), names
            assert creatable(model, proof.creation_order), names


def instances(layout: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(sorted(name for name, count in layout.items() for _ in range(count)))


@pytest.mark.parametrize("name", [model.name for model in gpus.all_models()])
def test_the_feasible_and_the_maximal_layouts_are_exactly_those_of_brute_force(name: str) -> None:
    model = gpus.find(name)
    listed, most = feasible(model), maximal(model)
    if model.geometry is not Geometry.ESTABLISHED:
        assert (listed, most) == ((), ())
        return
    possible = {names for names in placeable_sets(model, model.max_gpu_instances) if limits_hold(model, names)}
    full = {
        names for names in possible if not any(tuple(sorted((*names, more))) in possible for more in model.profiles)
    }
    assert len(listed) == len(possible)
    assert len(most) == len(full)
    assert set(map(instances, listed)) == possible
    assert set(map(instances, most)) == full
