"""Capacity and cost: the sums are right."""

import math
from dataclasses import astuple
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.model import capacity, cost, gpus
from mig_fleet.model.cost import Basis
from mig_fleet.model.errors import InvalidCount, InvalidRequest, MigError, UnknownGpu, UnknownProfile
from mig_fleet.model.placement import feasible

ESTABLISHED = [model for model in gpus.all_models() if feasible(model)]


def test_a_seventh_of_an_a100_costs_what_price_lists_show() -> None:
    price = cost.per_slice(2.50, "A100-80GB", {"1g.10gb": 7})["1g.10gb"]
    assert f"{price:.3f}" == "0.357"
    assert f"{1 - price / 2.50:.1%}" == "85.7%"


@pytest.mark.parametrize(
    ("profiles", "total"),
    [
        ({"1g.10gb": 7}, 1.0),
        ({"2g.20gb": 3, "1g.10gb": 1}, 1.0),
        ({"3g.40gb": 2}, 1.0),
        ({"1g.20gb": 4}, 1.0),
        ({"4g.40gb": 1, "2g.20gb": 1, "1g.10gb": 1}, 1.0),
        ({"4g.40gb": 1, "3g.40gb": 1}, 1.0),
        ({"3g.40gb": 1}, 0.5),
    ],
)
def test_the_slices_of_a_gpu_never_cost_more_than_the_gpu(profiles: dict[str, int], total: float) -> None:
    shares = cost.shares("H100-80GB", profiles)
    assert sum(share * profiles[name] for name, share in shares.items()) == pytest.approx(total)
    assert cost.stranded("H100-80GB", profiles) == pytest.approx(1 - total)


@pytest.mark.parametrize(("basis", "share"), [("compute", 3 / 7), ("memory", 4 / 8), ("max", 4 / 8)])
def test_a_basis_is_what_a_slice_is_charged_for(basis: str, share: float) -> None:
    assert cost.shares("H100-80GB", {"3g.40gb": 1}, Basis(basis))["3g.40gb"] == pytest.approx(share)


def test_parts_of_an_instance_share_its_price() -> None:
    assert cost.shares("H100-80GB", {"1c.3g.40gb": 3})["1c.3g.40gb"] == pytest.approx(0.5 / 3)


@given(st.data(), st.floats(0, 1000), st.sampled_from(list(Basis)))
def test_used_idle_unallocated_and_stranded_add_up_to_the_price(
    data: st.DataObject, price: float, basis: Basis
) -> None:
    model = data.draw(st.sampled_from(ESTABLISHED))
    layout = data.draw(st.sampled_from(feasible(model)))
    busy = {name: data.draw(st.lists(st.floats(0, 1), max_size=count)) for name, count in layout.items()}
    account = cost.account(price, model, layout, busy, basis)
    assert math.isclose(sum(astuple(account)), price, rel_tol=1e-9, abs_tol=1e-9)
    assert min(account.used, account.idle, account.unallocated, account.stranded) >= -1e-9


def test_an_alias_costs_the_same_as_the_canonical_profile() -> None:
    busy = {"1c.1g.10gb": [0.5], "1g.10gb": [1.0]}
    account = cost.account(7.0, "H100-80GB", {"1c.1g.10gb": 3, "1g.10gb": 4}, busy)
    assert cost.shares("H100-80GB", {"1c.1g.10gb": 7}) == cost.shares("H100-80GB", {"1g.10gb": 7})
    assert (account.used, account.idle, account.unallocated) == pytest.approx((1.5, 0.5, 5.0))


@pytest.mark.parametrize(
    ("changes", "error", "why"),
    [
        ({"profiles": {"1g.10gb": "7"}}, InvalidCount, "must have a whole number from 0 as its count, found '7'"),
        ({"profiles": {"1g.10gb": 7.0}}, InvalidCount, "found 7.0"),
        ({"profiles": None}, InvalidRequest, "profiles must be counted, .* found None"),
        ({"profiles": {"1g.5gb": 7}}, UnknownProfile, "did you mean '1g.10gb'"),
        ({"gpu": 5}, UnknownGpu, "unknown GPU model 5"),
        ({"price": "2.50"}, InvalidRequest, "the price must be a number from 0, found '2.50'"),
        ({"price": -2.5}, InvalidRequest, "the price must be a number from 0, found -2.5"),
        ({"price": math.nan}, InvalidRequest, "found nan"),
        ({"price": True}, InvalidRequest, "found True"),
        ({"basis": "watts"}, InvalidRequest, "the basis must be one of max, compute, memory, found 'watts'"),
        ({"basis": ["max"]}, InvalidRequest, r"the basis must be one of max, .* found \['max'\]"),
        ({"basis": None}, InvalidRequest, "the basis must be one of max, compute, memory, found None"),
        (
            {"busy": {"3g.40gb": [1.0]}},
            InvalidRequest,
            "busy slices of 3g.40gb must be at most the 0 of the layout, found 1",
        ),
        ({"busy": {"1g.10gb": [0.1] * 8}}, InvalidRequest, "must be at most the 7 of the layout, found 8"),
        ({"busy": {"1g.1gb": [1.0]}}, UnknownProfile, "did you mean '1g.10gb'"),
        (
            {"busy": {"1g.10gb": 1.0}},
            InvalidRequest,
            "busy slices of 1g.10gb must be numbers from 0 to 1, .* found 1.0",
        ),
        ({"busy": {"1g.10gb": ["1"]}}, InvalidRequest, r"found \['1'\]"),
        ({"busy": {"1g.10gb": [math.nan]}}, InvalidRequest, r"found \[nan\]"),
        ({"busy": None}, InvalidRequest, "busy must be utilisations by profile, .* found None"),
    ],
)
def test_an_invalid_argument_is_refused_with_the_reason(
    changes: dict[str, Any], error: type[MigError], why: str
) -> None:
    valid: dict[str, Any] = {"price": 2.5, "gpu": "H100-80GB", "profiles": {"1g.10gb": 7}, "busy": {"1g.10gb": [0.5]}}
    assert sum(astuple(cost.account(**valid))) == pytest.approx(2.5)
    with pytest.raises(error, match=why):
        cost.account(**valid | changes)


def test_a_measured_utilisation_outside_0_to_1_counts_as_0_or_1() -> None:
    assert cost.account(7.0, "H100-80GB", {"1g.10gb": 7}, {"1g.10gb": [1.2, -0.1]}).used == pytest.approx(1.0)


def test_an_offer_is_the_memory_and_the_sms_of_all_its_slices() -> None:
    offer = capacity.offer(gpus.find("H100-80GB"), "1g.10gb", 28)
    assert (offer.slices, offer.memory_mib, offer.sm_count) == (28, 28 * 9984, 28 * 16)


def test_a_number_that_no_source_gives_is_none() -> None:
    offer = capacity.offer(gpus.find("B300-269GB"), "1g.34gb", 56)
    assert (offer.slices, offer.memory_mib, offer.sm_count) == (56, None, None)


@pytest.mark.parametrize(("gpu", "profile", "sms"), [("H100-80GB", "1g.20gb", 16), ("H20-96GB", "1g.24gb", 8)])
def test_a_double_memory_slice_has_the_sms_that_mig_manager_gives_it(gpu: str, profile: str, sms: int) -> None:
    """Of two compute-instance profiles that fill it, mig-parted creates the first one."""
    assert capacity.offer(gpus.find(gpu), profile).sm_count == sms


@pytest.mark.parametrize(
    ("gpu", "profiles", "sms"),
    [
        ("H100-80GB", {"1g.20gb": 4}, (68, 132)),
        ("H100-80GB", {"1g.10gb": 7}, (20, 132)),
        ("H100-80GB", {"1c.3g.40gb": 3, "4g.40gb": 1}, (20, 132)),
        ("A100-80GB", {"1g.10gb": 7}, (0, 98)),
        ("B300-269GB", {"1g.34gb": 7}, None),
    ],
)
def test_sms_that_no_slice_has_are_stranded(gpu: str, profiles: dict[str, int], sms: tuple[int, int] | None) -> None:
    assert capacity.stranded_sms(gpus.find(gpu), profiles) == sms


def test_parts_of_an_instance_add_up_to_it() -> None:
    gpu = gpus.find("A100-80GB")
    parts, whole = capacity.offer(gpu, "1c.3g.40gb", 3), capacity.offer(gpu, "3g.40gb")
    assert parts.sm_count == whole.sm_count
    assert parts.memory_mib is not None
    assert whole.memory_mib is not None
    assert abs(parts.memory_mib - whole.memory_mib) < 3
