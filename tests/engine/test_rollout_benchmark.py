"""The benchmark of rollouts runs: a small fleet is changed in waves, and the figures are of that change."""

from pathlib import Path

import pytest

from benchmarks.rollout import measure, row

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]


def test_a_small_fleet_goes_through_the_benchmark_of_rollouts(tmp_path: Path) -> None:
    (found,) = measure(2, [1], None, tmp_path)
    assert found["waves"] == 1
    assert found["cost"].processor_s > 0 and found["label_s"] > 0
    assert row(found).split()[:2] == ["2", "1"]
