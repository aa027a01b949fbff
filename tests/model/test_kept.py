"""Instances that are kept, and what fits beside them."""

import pickle

import pytest

from mig_fleet.model import Placement, Verdict, gpus, prove
from mig_fleet.model.errors import (
    InvalidPlacement,
    InvalidRequest,
    MigError,
    UnknownGpu,
    UnknownProfile,
    UnverifiedGeometry,
)
from mig_fleet.model.gpus import Geometry
from mig_fleet.model.placement import driver_choice, feasible, maximal

UNVERIFIED = [model.short for model in gpus.all_models() if model.geometry is not Geometry.ESTABLISHED]


def test_kept_instances_are_not_moved_and_the_others_are_placed_beside_them() -> None:
    kept = Placement("3g.40gb", 0, 4)
    assert not prove("H100-80GB", {"2g.20gb": 1, "1g.10gb": 2}, keep=[kept]), "no 1g starts at memory slice 7"
    proof = prove("H100-80GB", {"2g.20gb": 1, "1g.10gb": 1}, keep=[kept])
    assert proof
    assert kept in proof.placements
    assert set(proof.creation_order) == {"2g.20gb", "1g.10gb"}, "what is kept is not created"
    assert prove("H100-80GB", {"4g.40gb": 1}, keep=[kept]).verdict is Verdict.IMPOSSIBLE


def test_what_fits_beside_a_kept_instance_depends_on_its_start() -> None:
    most = {"7g.80gb": 0, "4g.40gb": 0, "3g.40gb": 1, "2g.20gb": 1, "1g.20gb": 2, "1g.10gb": 3, "1g.10gb+me": 1}
    for name, count in most.items():
        assert not count or prove("H100-80GB", {name: count}, keep=[Placement("3g.40gb", 0, 4)])
        assert not prove("H100-80GB", {name: count + 1}, keep=[Placement("3g.40gb", 0, 4)])
    assert not prove("H100-80GB", {"4g.40gb": 1}, keep=[Placement("1g.10gb", 1, 1)])


def test_on_an_empty_gpu_the_most_instances_of_a_profile_are_those_of_the_catalog() -> None:
    for model in gpus.all_models():
        for row in model.profiles.values() if model.short not in UNVERIFIED else ():
            assert prove(model, {row.name: row.max_instances}).fits
            assert not prove(model, {row.name: row.max_instances + 1}).fits


@pytest.mark.parametrize(
    ("gpu", "kept"),
    [
        ("A30-24GB", [Placement("1g.6gb", 2, 1)]),
        ("H100-80GB", [Placement("1g.10gb", 1, 1)]),
        ("H100-80GB", [Placement("2g.20gb", 2, 2), Placement("1g.10gb+me", 5, 1)]),
        ("RTX-PRO-6000", [Placement("1g.24gb", 3, 3)]),
    ],
)
def test_what_still_fits_beside_kept_instances_is_proven_and_takes_no_instance_more(
    gpu: str, kept: list[Placement]
) -> None:
    layouts = maximal(gpu, kept)
    names = list(gpus.find(gpu).profiles)
    for layout in layouts:
        assert prove(gpu, layout, kept).fits
        assert not any(prove(gpu, dict(layout) | {name: layout.get(name, 0) + 1}, kept).fits for name in names)
    for name in names:
        most = max((layout.get(name, 0) for layout in layouts), default=0)
        assert not prove(gpu, {name: most + 1}, kept).fits, "no profile has more instances than one of the layouts"


@pytest.mark.parametrize("gpu", UNVERIFIED)
def test_a_driver_choice_is_refused_if_no_source_establishes_the_placements(gpu: str) -> None:
    name = next(iter(gpus.find(gpu).profiles))
    command = "run on a node with this GPU model: nvidia-smi mig -lgipp"
    with pytest.raises(UnverifiedGeometry, match=command) as refused:
        driver_choice(gpu, [], name)
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)


def test_thor_and_gb300_are_the_models_without_established_placements() -> None:
    assert UNVERIFIED == ["GB300-278GB", "Thor"]


@pytest.mark.parametrize(
    ("kept", "error", "why"),
    [
        ([Placement("3g.40gb", 1, 4)], InvalidPlacement, "starts at 0, 4"),
        ([Placement("3g.40gb", 2, 4)], InvalidPlacement, "starts at 0, 4"),
        ([Placement("3g.40gb", -4, 4)], InvalidPlacement, "starts at 0, 4"),
        ([Placement("3g.40gb", "0", 4), Placement("3g.40gb", 4, 4)], InvalidPlacement, "at 0, 4"),  # type: ignore[arg-type]
        ([Placement("3g.40gb", 0, 3)], InvalidPlacement, "takes 4 memory slices"),
        ([Placement("3g.40gb", 0.0, 4)], InvalidPlacement, "at 0.0:4 cannot .* starts at 0, 4"),  # type: ignore[arg-type]
        ([Placement("3g.40gb", 0, 4.0)], InvalidPlacement, "at 0:4.0 cannot .* takes 4 memory slices"),  # type: ignore[arg-type]
        ([Placement("1g.10gb", True, 1)], InvalidPlacement, "at True:1 cannot"),
        ([Placement("3g.40gb", 0, 4), Placement("2g.20gb", 2, 2)], InvalidPlacement, "overlap"),
        ([Placement("3g.40gb", 0, 4), Placement("3g.40gb", 0, 4)], InvalidPlacement, "overlap"),
        ([Placement("3g.20gb", 0, 4)], UnknownProfile, "did you mean '3g.40gb'"),
        (["3g.40gb"], InvalidRequest, "an instance to keep must be a Placement, such as .* found '3g.40gb'"),
        ("3g.40gb", InvalidRequest, "instances to keep must be a list of Placement.* found '3g.40gb'"),
        (None, InvalidRequest, "found None"),
        (7, InvalidRequest, "found 7"),
    ],
)
def test_an_instance_with_an_invalid_placement_cannot_be_kept(kept: object, error: type[MigError], why: str) -> None:
    for call in (
        lambda: prove("H100-80GB", {"1g.10gb": 1}, keep=kept),  # type: ignore[arg-type]
        lambda: driver_choice("H100-80GB", kept, "1g.10gb"),  # type: ignore[arg-type]
    ):
        with pytest.raises(error, match=why):
            call()


@pytest.mark.parametrize("gpu", [5, None, ["H100-80GB"], 0x233010DE])
def test_a_gpu_that_is_not_a_name_is_an_unknown_gpu(gpu: object) -> None:
    for call in (
        lambda: prove(gpu, {"1g.10gb": 1}),  # type: ignore[arg-type]
        lambda: feasible(gpu),  # type: ignore[arg-type]
        lambda: driver_choice(gpu, [], "1g.10gb"),  # type: ignore[arg-type]
    ):
        with pytest.raises(UnknownGpu):
            call()


def test_an_instance_on_a_model_without_placements_cannot_be_kept() -> None:
    with pytest.raises(UnverifiedGeometry):
        prove("Thor", {"1g.0gb": 1}, keep=[Placement("2g.0gb", 0, 2)])
    kept = prove("GB300", {"1g.35gb": 1}, keep=[Placement("1g.35gb", 0, 1)])
    assert kept.verdict is Verdict.UNPROVEN, "a placement of a single source is neither refused nor proven"
