"""The published rules, by tables: what slices need by their use, and which profile that is."""

from typing import Any

import pytest

from mig_fleet.advice.needs import Needs, needs
from mig_fleet.advice.outcome import Confidence, Outcome
from mig_fleet.advice.sizing import Sizing, size
from mig_fleet.model.gpus import find
from mig_fleet.monitoring import series
from tests.advice.measurements import GIB, a_use

H100 = find("H100-80GB")


@pytest.mark.parametrize(
    ("profile", "busy", "compute"),
    [
        ("7g.80gb", 0.0, 1),
        ("7g.80gb", 0.30, 3),  # 0.30 * 7 / 0.75 = 2.8
        ("7g.80gb", 0.33, 4),
        ("3g.40gb", 0.25, 1),
        ("3g.40gb", 0.26, 2),
        ("1g.10gb", 0.75, 1),
        ("1g.10gb", 0.76, 2),
    ],
)
def test_compute_is_used_up_to_three_quarters(profile: str, busy: float, compute: int) -> None:
    found = needs(a_use(busy=busy), H100.profile(profile))
    assert found is not None and found.compute == compute


@pytest.mark.parametrize(
    ("profile", "bandwidth", "slices"),
    [("7g.80gb", 0.10, 1), ("7g.80gb", 0.11, 2), ("3g.40gb", 0.4, 2), ("3g.40gb", 0.41, 3), ("2g.20gb", 0.9, 3)],
)
def test_bandwidth_is_used_up_to_four_fifths(profile: str, bandwidth: float, slices: int) -> None:
    found = needs(a_use(bandwidth=bandwidth), H100.profile(profile))
    assert found is not None and found.bandwidth == slices


def test_a_share_that_is_exactly_enough_is_not_rounded_up() -> None:
    """0.2 * 12 / 0.8 is 3.0000000000000004 in floating-point numbers."""
    found = needs(a_use(bandwidth=0.2), find("RTX PRO 6000").profile("4g.96gb"))
    assert found is not None and found.bandwidth == 3


@pytest.mark.parametrize(
    ("used", "needed", "reason"),
    [
        (0.0, 1.0, "at least 1 GiB is added"),
        (4.0, 5.0, "15 % of 4 GiB is less than 1 GiB"),
        (20.0, 23.0, "15 % of 20 GiB is more than 1 GiB"),
    ],
)
def test_memory_has_15_percent_more_and_at_least_one_gib(used: float, needed: float, reason: str) -> None:
    found = needs(a_use(memory=used * GIB), H100.profile("3g.40gb"))
    assert found is not None and found.memory == pytest.approx(needed * GIB), reason


def test_what_was_not_measured_has_no_needs() -> None:
    row = H100.profile("3g.40gb")
    assert needs(a_use(busy=None), row) is None
    assert needs(a_use(bandwidth=None), row) is None
    assert needs(a_use(memory=None), row) is None


def test_the_memory_of_a_profile_is_that_of_the_driver_that_leaves_the_least() -> None:
    """An H100's 1g.10gb has 9984 MiB, or 9856 MiB with another driver."""
    row = H100.profile("1g.10gb")
    assert Needs(1, 1, 9856 * 2**20).are_met_by(row)
    assert not Needs(1, 1, 9857 * 2**20).are_met_by(row)


def sized(group: dict[str, int], name: str, gpu: str = "H100-80GB", **changes: Any) -> Sizing:
    return size(find(gpu), group, name, a_use(**changes))


@pytest.mark.parametrize(
    ("group", "changes", "expected", "saving"),
    [
        ({"7g.80gb": 1}, {"busy": 0.05, "bandwidth": 0.05}, ("1g.10gb", 7), 6 / 7),
        ({"7g.80gb": 1}, {"busy": 0.30, "bandwidth": 0.05}, ("3g.40gb", 2), 1 / 2),
        ({"7g.80gb": 1}, {"busy": 0.05, "bandwidth": 0.05, "memory": 12 * GIB}, ("1g.20gb", 4), 3 / 4),
        ({"3g.40gb": 2}, {"busy": 0.40}, ("2g.20gb", 3), 1 / 3),
        ({"3g.40gb": 2}, {"busy": 0.20, "bandwidth": 0.4}, ("1g.20gb", 4), 1 / 2),
        ({"3g.40gb": 2}, {"busy": 0.20}, ("1g.10gb", 7), 5 / 7),
        ({"2g.20gb": 3}, {"busy": 0.30, "memory": 10 * GIB}, ("1g.20gb", 4), 1 / 4),
    ],
    ids=str,
)
def test_the_cheapest_profile_that_is_large_enough_is_proposed(
    group: dict[str, int], changes: dict[str, Any], expected: tuple[str, int], saving: float
) -> None:
    (name,) = group
    found = sized(group, name, **changes)
    assert found.outcome is Outcome.SMALLER, found
    assert found.replacement is not None
    assert (found.replacement.profile, found.replacement.count) == expected
    assert found.replacement.saving == pytest.approx(saving)


KEPT = [
    ({"7g.80gb": 1}, "7g.80gb", {"busy": 0.4}, "4g.40gb is large enough, but a GPU holds only 1 of it in place of 1"),
    ({"3g.40gb": 2}, "3g.40gb", {"busy": 0.7}, "no cheaper profile is large enough"),
    ({"1g.10gb": 7}, "1g.10gb", {}, "no cheaper profile is large enough"),
    ({"3g.40gb": 2}, "3g.40gb", {"busy": 0.8}, "it has less headroom than recommended: compute"),
    ({"3g.40gb": 2}, "3g.40gb", {"bandwidth": 0.9}, "it has less headroom than recommended: bandwidth"),
    ({"3g.40gb": 2}, "3g.40gb", {"memory": 38 * GIB}, "it has less headroom than recommended: memory"),
    ({"1g.10gb+me": 1}, "1g.10gb+me", {}, "no cheaper profile is large enough"),
]


@pytest.mark.parametrize(("group", "name", "changes", "reason"), KEPT, ids=str)
def test_slices_that_need_their_size_keep_it(
    group: dict[str, int], name: str, changes: dict[str, Any], reason: str
) -> None:
    found = sized(group, name, **changes)
    assert found.outcome is Outcome.KEEP and found.replacement is None
    assert found.reason.startswith(reason)


NOT_KNOWN = [
    ({"coverage": 0.69}, Outcome.NOT_ENOUGH_HISTORY, "69% of the slices' time was measured while a pod had them"),
    ({"slices": 0, "coverage": 0.0, "reported": 0.0}, Outcome.NOT_ENOUGH_HISTORY, "no node of its pools is known"),
    (
        {"bandwidth": None, "missing": (series.DRAM_ACTIVITY,), "coverage": 0.0},
        Outcome.NOT_ENOUGH_HISTORY,
        f"nothing was recorded in {series.DRAM_ACTIVITY}",
    ),
    ({"busy": 0.95}, Outcome.SATURATED, "the compute of a slice is in full use; a larger profile may be needed"),
    ({"bandwidth": 1.0}, Outcome.SATURATED, "the memory bandwidth of a slice is in full use"),
    ({"preallocated": True}, Outcome.PREALLOCATED, "a server reserves its memory at the start"),
]


@pytest.mark.parametrize(("changes", "outcome", "reason"), NOT_KNOWN, ids=str)
def test_what_is_not_known_is_an_outcome_and_no_guess(changes: dict[str, Any], outcome: Outcome, reason: str) -> None:
    found = sized({"3g.40gb": 2}, "3g.40gb", **changes)
    assert found.outcome is outcome and found.replacement is None
    assert found.reason.startswith(reason)


def test_slices_of_different_sizes_on_a_gpu_are_not_sized() -> None:
    found = sized({"3g.40gb": 1, "2g.20gb": 2}, "3g.40gb", busy=0.01)
    assert found.outcome is Outcome.HETEROGENEOUS and found.confidence is Confidence.LOW
    suffix = sized({"1g.10gb": 6, "1g.10gb+me": 1}, "1g.10gb")
    assert suffix.outcome is Outcome.KEEP, "a suffix is no difference in size"


def test_the_other_profiles_of_the_gpu_stay() -> None:
    """On an RTX PRO 6000 two equally large slices, of which only one is sized smaller."""
    found = sized({"2g.48gb": 1, "2g.48gb+gfx": 1}, "2g.48gb", "RTX PRO 6000", busy=0.1)
    assert found.outcome is Outcome.SMALLER and found.replacement is not None
    assert (found.replacement.profile, found.replacement.count) == ("1g.24gb", 2)
    assert found.replacement.saving == pytest.approx(0.25), "half of the half that the slice has"


def test_a_slice_with_graphics_keeps_them() -> None:
    found = sized({"4g.96gb+gfx": 1}, "4g.96gb+gfx", "RTX PRO 6000", busy=0.1, bandwidth=0.1)
    assert found.replacement is not None and found.replacement.profile == "1g.24gb+gfx"


def test_a_profile_without_known_memory_is_unproven() -> None:
    """No source gives the memory of a B200's 3g.90gb."""
    found = sized({"7g.180gb": 1}, "7g.180gb", "B200-180GB", busy=0.3, memory=4 * GIB)
    assert found.outcome is Outcome.UNPROVEN
    assert "the memory of 3g.90gb" in found.reason


def test_a_profile_whose_name_depends_on_the_board_is_unproven() -> None:
    """Some boards of a GB200 have 1g.24gb in place of 1g.23gb."""
    found = sized({"1g.47gb": 4}, "1g.47gb", "GB200", busy=0.1, bandwidth=0.1)
    assert found.outcome is Outcome.UNPROVEN
    assert found.reason == "no source states whether 1g.23gb can be placed on GB200-186GB"


def test_a_gpu_without_established_placements_is_unproven() -> None:
    found = sized({"2g.0gb": 1}, "2g.0gb", "Thor", busy=0.1, memory=0.0)
    assert found.outcome is Outcome.UNPROVEN


def test_a_part_of_an_instance_has_no_size_of_its_own() -> None:
    assert sized({"1c.3g.40gb": 3}, "1c.3g.40gb").outcome is Outcome.UNPROVEN


@pytest.mark.parametrize(
    ("changes", "confidence"),
    [
        ({}, Confidence.HIGH),
        ({"coverage": 0.9}, Confidence.HIGH),
        ({"coverage": 0.89}, Confidence.MEDIUM),
        ({"sm_measured": False}, Confidence.MEDIUM),
        ({"coverage": 0.69}, Confidence.LOW),
    ],
    ids=str,
)
def test_the_confidence_follows_from_the_coverage_and_from_sm_activity(
    changes: dict[str, Any], confidence: Confidence
) -> None:
    assert sized({"3g.40gb": 2}, "3g.40gb", **changes).confidence is confidence
