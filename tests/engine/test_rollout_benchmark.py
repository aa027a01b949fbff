"""The benchmark of rollouts runs: it changes a small fleet in waves and prints the costs of that change."""

from pathlib import Path

import pytest

from benchmarks.rollout import measure, row

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]


def test_the_benchmark_of_rollouts_runs_with_a_small_fleet(tmp_path: Path) -> None:
    (found,) = measure(2, [1], None, tmp_path)
    assert found["waves"] == 1
    assert found["cost"].processor_s > 0 and found["label_s"] > 0
    assert row(found).split()[:2] == ["2", "1"]
