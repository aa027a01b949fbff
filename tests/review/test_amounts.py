"""Capacity and cost before and after: of the whole stack, although a preview lists only what changes."""

from typing import Any

from mig_fleet.review.preview import read_previews
from mig_fleet.review.reader import review_all
from mig_fleet.review.review import AmountChange, Review
from tests.review.previews_by_hand import a_preview, a_wave

SLICES = {"web": {"node-1": "GPU 0-7: 7x 1g.10gb", "node-2": "GPU 0-7: 7x 1g.10gb"}}
OUTPUTS = {
    "capacity": {"nvidia.com/mig-1g.10gb": 112, "nvidia.com/gpu": 4},
    "cost": {"perHourUsd": 50.0, "pools": {"web": {"perHourUsd": 40.0}}},
    "slices": SLICES,
}


def reviewed(*steps: dict[str, Any], outputs: dict[str, Any] | None = None) -> Review:
    (review,) = review_all(read_previews("preview", a_preview(*steps, outputs=outputs)))
    return review


def test_what_does_not_change_is_in_the_capacity_too() -> None:
    """Only one of two nodes changes, and whole GPUs of another pool stay."""
    assert reviewed(*a_wave(), outputs=OUTPUTS).capacity == (
        AmountChange("nvidia.com/gpu", 4, 4),
        AmountChange("nvidia.com/mig-1g.10gb", 112, 56),
        AmountChange("nvidia.com/mig-3g.40gb", 0, 16),
    )


def test_outputs_that_are_older_than_the_waves_are_not_used() -> None:
    """As after an update that failed: its waves changed, and the stack's outputs did not."""
    found = reviewed(*a_wave(), outputs={**OUTPUTS, "capacity": {"nvidia.com/mig-2g.20gb": 24}})
    assert found.capacity == (
        AmountChange("nvidia.com/mig-1g.10gb", 56, 0),
        AmountChange("nvidia.com/mig-3g.40gb", 0, 16),
    )


def test_another_layout_costs_the_same_and_its_slices_have_other_prices() -> None:
    found = reviewed(*a_wave(), outputs=OUTPUTS)
    assert (found.cost_before, found.cost_after) == (50.0, 50.0)
    assert found.cost_slices == {
        "nvidia.com/mig-1g.10gb": (round(2.5 / 7, 3), None),
        "nvidia.com/mig-3g.40gb": (None, 1.25),
    }


def test_another_strategy_renames_capacity_and_prices() -> None:
    expected = {"gpu": "H100-80GB", "gpus": [{"1g.10gb": 7}] * 8, "allocatable": {"nvidia.com/gpu": 56}}
    found = reviewed(*a_wave(expected={**expected, "strategy": "single"}), outputs=OUTPUTS)
    assert found.capacity == (
        AmountChange("nvidia.com/gpu", 4, 60),
        AmountChange("nvidia.com/mig-1g.10gb", 112, 56),
    )
    price = round(2.5 / 7, 3)
    assert found.cost_slices == {"nvidia.com/mig-1g.10gb": (price, None), "nvidia.com/gpu": (None, price)}


def test_a_removed_wave_lowers_the_cost() -> None:
    assert reviewed(*a_wave(op="delete"), outputs=OUTPUTS).cost_after == 30.0


def test_a_new_stack_costs_what_its_waves_cost() -> None:
    found = reviewed(*a_wave(op="create", costPerHourUsd=20.0), *a_wave("web-wave-1", op="create", costPerHourUsd=5.0))
    assert (found.cost_before, found.cost_after) == (None, 25.0)


def test_without_prices_there_is_no_cost() -> None:
    found = reviewed(*a_wave())
    assert (found.cost_before, found.cost_after, found.cost_slices) == (None, None, {})
