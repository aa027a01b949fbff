"""Instances that stay where they are, and what still fits beside them."""

import pickle

import pytest

from mig_fleet.model import Placement, Verdict, gpus, prove
from mig_fleet.model.errors import InvalidPlacement, InvalidRequest, MigError, UnknownGpu, UnknownProfile, UnsettledGpu
from mig_fleet.model.gpus import Geometry
from mig_fleet.model.placement import driver_choice, feasible, room

UNSETTLED = [model.short for model in gpus.all_models() if model.geometry is not Geometry.ESTABLISHED]


def test_kept_instances_stay_and_the_rest_goes_around_them() -> None:
    kept = Placement("3g.40gb", 0, 4)
    assert not prove("H100-80GB", {"2g.20gb": 1, "1g.10gb": 2}, keep=[kept]), "no 1g starts at memory slice 7"
    proof = prove("H100-80GB", {"2g.20gb": 1, "1g.10gb": 1}, keep=[kept])
    assert proof
    assert kept in proof.placements
    assert set(proof.order) == {"2g.20gb", "1g.10gb"}, "what is kept is not created"
    assert prove("H100-80GB", {"4g.40gb": 1}, keep=[kept]).verdict is Verdict.IMPOSSIBLE


def test_room_counts_what_still_fits_beside_kept_instances() -> None:
    assert room("H100-80GB", [Placement("3g.40gb", 0, 4)]) == {
        "7g.80gb": 0, "4g.40gb": 0, "3g.40gb": 1, "2g.20gb": 1, "1g.20gb": 2, "1g.10gb": 3, "1g.10gb+me": 1,
    }  # fmt: skip
    assert room("H100-80GB", [Placement("1g.10gb", 1, 1)])["4g.40gb"] == 0


@pytest.mark.parametrize("gpu", ["H100-80GB", "A30-24GB", "RTX-PRO-6000"])
def test_room_says_what_proofs_say(gpu: str) -> None:
    model = gpus.find(gpu)
    for layout in feasible(model)[::9]:
        kept = prove(model, layout).placements
        for name, more in room(model, kept).items():
            assert not more or prove(model, {name: more}, keep=kept), (name, layout)
            assert not prove(model, {name: more + 1}, keep=kept), (name, layout)


def test_on_an_empty_gpu_room_is_what_the_catalog_allows_at_most() -> None:
    for model in gpus.all_models():
        if model.short not in UNSETTLED:
            assert room(model, []) == {row.name: row.max_instances for row in model.profiles.values()}


@pytest.mark.parametrize("gpu", UNSETTLED)
def test_a_model_without_settled_placements_has_no_numbers_that_could_be_relied_on(gpu: str) -> None:
    name = next(iter(gpus.find(gpu).profiles))
    for ask in (lambda: room(gpu, []), lambda: driver_choice(gpu, [], name)):
        with pytest.raises(UnsettledGpu, match=r"ask a node that has one: nvidia-smi mig -lgipp") as refused:
            ask()
        assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)


def test_thor_and_gb300_are_the_models_without_settled_placements() -> None:
    assert UNSETTLED == ["GB300-278GB", "Thor"]


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
def test_instances_that_cannot_stand_there_cannot_be_kept(kept: object, error: type[MigError], why: str) -> None:
    for ask in (
        lambda: prove("H100-80GB", {"1g.10gb": 1}, keep=kept),  # type: ignore[arg-type]
        lambda: room("H100-80GB", kept),  # type: ignore[arg-type]
        lambda: driver_choice("H100-80GB", kept, "1g.10gb"),  # type: ignore[arg-type]
    ):
        with pytest.raises(error, match=why):
            ask()


@pytest.mark.parametrize("gpu", [5, None, ["H100-80GB"], 0x233010DE])
def test_a_gpu_that_is_no_name_is_an_unknown_gpu(gpu: object) -> None:
    for ask in (
        lambda: prove(gpu, {"1g.10gb": 1}),  # type: ignore[arg-type]
        lambda: room(gpu, []),  # type: ignore[arg-type]
        lambda: feasible(gpu),  # type: ignore[arg-type]
        lambda: driver_choice(gpu, [], "1g.10gb"),  # type: ignore[arg-type]
    ):
        with pytest.raises(UnknownGpu):
            ask()


def test_nothing_is_known_to_stand_on_a_model_without_placements() -> None:
    with pytest.raises(UnsettledGpu):
        prove("Thor", {"1g.0gb": 1}, keep=[Placement("2g.0gb", 0, 2)])
    kept = prove("GB300", {"1g.35gb": 1}, keep=[Placement("1g.35gb", 0, 1)])
    assert kept.verdict is Verdict.UNPROVEN, "a place that one source gives is not refused, and no yes either"
