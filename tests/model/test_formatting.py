"""Slices as text."""

from mig_fleet.model.formatting import format_profiles


def test_the_slices_of_one_gpu_are_one_text() -> None:
    assert format_profiles({"1g.10gb": 2, "3g.40gb": 1}) == "3g.40gb + 2x 1g.10gb"
    assert format_profiles({}) == "no slices"
    assert format_profiles(None) == "MIG off"
