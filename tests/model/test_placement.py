"""Proofs: verdicts, placements, creation orders, reasons."""

import pickle
from itertools import combinations_with_replacement
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.model import Placement, Profile, Verdict, gpus, maximal, prove
from mig_fleet.model.errors import InvalidCount, InvalidProfile, InvalidRequest, UnknownGpu, UnknownProfile
from mig_fleet.model.placement import explain, feasible, nearest
from mig_fleet.model.placement.request import instances_of

MODELS = gpus.all_models()
ESTABLISHED = [model for model in MODELS if feasible(model)]


LAYOUTS = [(model, layout) for model in ESTABLISHED for layout in feasible(model)]


@st.composite
def fitting(draw: st.DrawFn) -> tuple[gpus.GpuModel, list[str]]:
    """Any layout that fits, in any order: few random lists do."""
    model, layout = draw(st.sampled_from(LAYOUTS))
    return model, draw(st.permutations([name for name, count in layout.items() for _ in range(count)]))


@st.composite
def arbitrary(draw: st.DrawFn) -> tuple[gpus.GpuModel, list[str]]:
    model = draw(st.sampled_from(MODELS))
    return model, draw(st.lists(st.sampled_from(list(model.profiles)), max_size=9))


def requests() -> st.SearchStrategy[tuple[gpus.GpuModel, list[str]]]:
    return st.one_of(fitting(), arbitrary())


@given(requests())
def test_a_feasible_layout_is_placed_at_published_starts_without_overlap(
    request_: tuple[gpus.GpuModel, list[str]],
) -> None:
    model, names = request_
    proof = prove(model, names)
    if not proof.fits:
        assert (proof.placements, proof.creation_order) == ((), ())
        assert explain(proof)
        return
    assert sorted(placement.profile for placement in proof.placements) == sorted(names) == sorted(proof.creation_order)
    taken = [slice_ for p in proof.placements for slice_ in range(p.start, p.start + p.size)]
    assert len(taken) == len(set(taken)), "two instances overlap"
    assert all(p.start in model.profile(p.profile).starts for p in proof.placements)
    assert max(taken, default=0) < model.memory_slices


@given(requests(), st.randoms(use_true_random=False))
def test_the_order_of_a_request_never_matters(request_: tuple[gpus.GpuModel, list[str]], random: object) -> None:
    model, names = request_
    assert prove(model, names) == prove(model, sorted(names)) == prove(model, {n: names.count(n) for n in names})


@given(requests())
def test_removing_an_instance_never_makes_a_layout_impossible(request_: tuple[gpus.GpuModel, list[str]]) -> None:
    model, names = request_
    if prove(model, names).fits:
        assert all(prove(model, names[:i] + names[i + 1 :]).fits for i in range(len(names)))


@pytest.mark.parametrize(
    ("gpu", "profiles", "reason"),
    [
        (
            "H100-80GB",
            {"3g.40gb": 2, "1g.10gb": 1},
            "3g.40gb ×2 fill memory slices 0–7; nothing is left for 1g.10gb although 1 compute slice is free",
        ),
        ("H100-80GB", {"4g.40gb": 2}, "4g.40gb ×2 need 8 compute slices, H100-80GB has 7"),
        ("H100-80GB", {"1g.10gb": 10**9}, "1g.10gb ×1000000000 need 1000000000 compute slices, H100-80GB has 7"),
        ("H100-80GB", {"1g.10gb+me": 2}, "1g.10gb+me ×2 need 2 OFA, H100-80GB has 1"),
        ("H20-96GB", {"1g.12gb+me": 2}, "1g.12gb+me ×2: H20-96GB allows at most 1"),
        (
            "H100-80GB",
            {"1g.20gb": 3, "3g.40gb": 1},
            "3g.40gb and 1g.20gb ×2 fill memory slices 0–7; nothing is left for 1g.20gb "
            "although 2 compute slices are free",
        ),
        (
            "RTX-PRO-6000",
            {"1g.24gb+me.all": 1, "1g.24gb": 1},
            "1g.24gb and 1g.24gb+me.all need 5 NVDEC, RTX PRO 6000 Blackwell-96GB has 4",
        ),
        (
            "A100-80GB",
            {"3g.40gb": 1, "1g.20gb": 4},  # needs 6 NVDEC of 5, too
            "3g.40gb and 1g.20gb ×2 fill memory slices 0–7; nothing is left for 1g.20gb "
            "although 2 compute slices are free",
        ),
        ("H100-80GB", {"1c.3g.40gb": 7}, "3g.40gb ×3 need 9 compute slices, H100-80GB has 7"),
        ("GB300-278GB", {"1g.35gb": 8}, "1g.35gb ×8 need 8 compute slices, GB300-278GB has 7"),
        ("GB300-278GB", {"1g.70gb": 4, "1g.35gb+me": 2}, "1g.35gb+me ×2: GB300-278GB allows at most 1"),
        (
            "RTX-PRO-6000",
            {"1c.2g.48gb": 5},
            "2g.48gb ×3 need 6 compute slices, RTX PRO 6000 Blackwell-96GB has 4",
        ),
    ],
)
def test_the_reason_of_an_impossible_layout_counts_slices(gpu: str, profiles: dict[str, int], reason: str) -> None:
    proof = prove(gpu, profiles)
    assert proof.verdict is Verdict.IMPOSSIBLE
    assert explain(proof) == reason
    assert not proof


def test_a_layout_is_impossible_if_no_start_is_free_although_memory_is() -> None:
    kept = [Placement("1g.10gb", 1, 1), Placement("1g.10gb", 3, 1), Placement("1g.10gb", 5, 1)]
    proof = prove("H100-80GB", {"2g.20gb": 1}, keep=kept)
    assert proof.verdict is Verdict.IMPOSSIBLE
    assert explain(proof) == (
        "1g.10gb ×3 take memory slices 1, 3, 5; 2g.20gb needs 2 consecutive memory slices at "
        "start 0, 2, 4, and none of these ranges is free although 4 compute slices are free"
    )


def test_nearest_layouts_fit_and_differ_little() -> None:
    proof = prove("H100-80GB", {"3g.40gb": 2, "1g.10gb": 1})
    assert nearest(proof)[0] == {"3g.40gb": 2}
    assert all(prove("H100-80GB", layout) for layout in nearest(proof))
    assert nearest(prove("H100-80GB", {"1g.10gb": 7})) == ()


@given(requests())
def test_every_impossible_layout_of_an_established_model_has_a_nearest_one_that_fits(
    request_: tuple[gpus.GpuModel, list[str]],
) -> None:
    model, names = request_
    proof = prove(model, names)
    if proof.verdict is Verdict.IMPOSSIBLE and model in ESTABLISHED:
        assert nearest(proof)
        assert all(prove(model, layout).fits for layout in nearest(proof))


@pytest.mark.parametrize(("gpu", "profile"), [("GB300-278GB", "3g.139gb"), ("Thor", "1g.0gb")])
def test_a_layout_of_a_model_without_established_placements_is_unproven(gpu: str, profile: str) -> None:
    proof = prove(gpu, {profile: 1})
    assert proof.verdict is Verdict.UNPROVEN
    assert not proof
    assert "nvidia-smi mig -lgipp" in explain(proof)
    assert maximal(gpu) == ()


def test_4g_beside_3g_needs_a_newer_driver_on_a100_only() -> None:
    assert any(
        "R510 or newer for 4g.40gb with 3g.40gb" in r for r in prove("A100-80GB", ["4g.40gb", "3g.40gb"]).requires
    )
    assert not any("R510" in r for r in prove("H100-80GB", ["4g.40gb", "3g.40gb"]).requires)


def test_the_confidence_of_a_proof_is_that_of_its_weakest_placement() -> None:
    assert prove("H100-80GB", ["1g.10gb"]).confidence == "lgipp-output"
    assert prove("H200-141GB", ["1g.18gb"]).confidence == "derived"
    assert prove("RTX-PRO-5000", ["1g.24gb"]).confidence == "derived-normalized"


def test_parts_share_instances() -> None:
    assert prove("H100-80GB", {"1c.3g.40gb": 6}).creation_order == ("3g.40gb", "3g.40gb")
    assert prove("H100-80GB", {"2c.3g.40gb": 1, "1c.3g.40gb": 1}).creation_order == ("3g.40gb",)
    assert prove("H100-80GB", {"1c.7g.80gb": 8}).verdict is Verdict.IMPOSSIBLE


@pytest.mark.parametrize("gpu", ["RTX-PRO-4500", "RTX-PRO-5000", "RTX-PRO-6000", "Thor"])
def test_parts_that_no_source_lists_are_unproven(gpu: str) -> None:
    model = gpus.find(gpu)
    for row in (row for row in model.profiles.values() if row.compute_slices > 1):
        for compute in range(1, row.compute_slices):
            proof = prove(model, {f"{compute}c.{row.name}": 1})
            assert (proof.verdict, proof.fits, proof.creation_order) == (Verdict.UNPROVEN, False, ())
            assert f"no source states how {row.name} is split on {model.name}; run on a node" in explain(proof)
            assert explain(proof).endswith("nvidia-smi mig -lcip")
        for compute in (0, row.compute_slices + 1):
            with pytest.raises(UnknownProfile):
                prove(model, {f"{compute}c.{row.name}": 1})


def test_only_the_parts_are_unproven_but_not_the_instance() -> None:
    assert prove("RTX-PRO-6000", {"2c.2g.48gb": 2}), "a part with all compute slices is the instance itself"
    assert "split" not in explain(prove("Thor", {"2g.0gb": 1}))
    two = explain(prove("RTX-PRO-6000", {"1c.2g.48gb": 1, "1c.2g.48gb+gfx": 1}))
    assert two.startswith("no source states how 2g.48gb and 2g.48gb+gfx are split on ")


def fewest(widths: tuple[int, ...], capacity: int, open_: tuple[int, ...] = ()) -> int:
    """The fewest instances that hold parts of these widths, by trying every distribution."""
    if not widths:
        return len(open_)
    first, *rest = widths
    ways = [(*open_[:at], free - first, *open_[at + 1 :]) for at, free in enumerate(open_) if free >= first]
    return min(fewest(tuple(rest), capacity, way) for way in [*ways, (*open_, capacity - first)])


@pytest.mark.parametrize("whole", ["1g.10gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"])
def test_parts_are_packed_into_the_fewest_instances(whole: str) -> None:
    model = gpus.find("H100-80GB")
    capacity = model.profiles[whole].compute_slices
    for count in range(1, 7):
        for widths in combinations_with_replacement(range(1, min(capacity, 4) + 1), count):
            parts = [(whole if width == capacity else f"{width}c.{whole}", 1) for width in widths]
            found, best = instances_of(model, parts)[whole], fewest(widths, capacity)
            assert found == best if capacity <= 4 else (found == 1) is (best == 1), widths


def test_no_gpu_holds_two_instances_with_more_than_four_compute_slices() -> None:
    wide = [row for model in MODELS for row in model.profiles.values() if row.compute_slices > 4]
    assert {row.max_instances for row in wide} == {1}


def test_no_instance_can_be_added_to_a_maximal_layout() -> None:
    for model in ESTABLISHED:
        for layout in maximal(model):
            assert prove(model, layout).fits
            assert not any(prove(model, dict(layout) | {name: layout.get(name, 0) + 1}).fits for name in model.profiles)


def test_the_documented_layouts_of_an_h100_are_maximal() -> None:
    found = [dict(layout) for layout in maximal("H100-80GB")]
    for layout in (
        {"1g.10gb": 7},
        {"7g.80gb": 1},
        {"3g.40gb": 2},
        {"4g.40gb": 1, "3g.40gb": 1},
        {"2g.20gb": 3, "1g.10gb": 1},
        {"1g.20gb": 4},
    ):
        assert layout in found


@pytest.mark.parametrize(
    ("gpu", "profiles", "error"),
    [
        ("H300", {"1g.10gb": 1}, UnknownGpu),
        ("H100-80GB", {"1g.5gb": 1}, UnknownProfile),
        ("H100-80GB", {"1g.5gb": 0}, UnknownProfile),
        ("H100-80GB", {"ten": 1}, InvalidProfile),
        ("H100-80GB", {"1g.10gb": -1}, InvalidCount),
        ("H100-80GB", {"1g.10gb": "7"}, InvalidCount),
        ("H100-80GB", {"1g.10gb": True}, InvalidCount),
        ("H100-80GB", {"1g.10gb": 7.0}, InvalidCount),
        ("H100-80GB", [7], InvalidProfile),
        ("H100-80GB", None, InvalidRequest),
        ("H100-80GB", 7, InvalidRequest),
        ("H100-80GB", "1g.10gb", InvalidRequest),
    ],
)
def test_invalid_input_is_an_error_and_never_proven(gpu: str, profiles: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        prove(gpu, profiles)


def test_names_and_profiles_may_be_mixed_and_proofs_pickle() -> None:
    proof = prove("H100-80GB", ["1c.1g.10gb", Profile.parse("1g.10gb")])
    assert proof.request == (("1g.10gb", 2),)
    assert pickle.loads(pickle.dumps(proof)) == proof
