"""The benchmark of previews runs: its programs deploy, and their previews have no changes."""

import asyncio
from pathlib import Path

import pytest

from benchmarks.preview import measure

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]


def test_the_benchmark_of_previews_runs_with_a_small_fleet(tmp_path: Path) -> None:
    names = [f"gpu-node-{n}" for n in range(4)]
    costs, per_node = asyncio.run(measure(tmp_path, names, count=1, runs=1))
    # A preview with changes would have ended the run.
    assert [len(paid) for paid in costs] == [1, 1, 1, 1]
    assert all(cost.seconds > 0 and cost.processor_s > 0 for paid in costs for cost in paid)
    assert per_node > 0
