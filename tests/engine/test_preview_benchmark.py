"""The benchmark of previews runs: its programs deploy, and none finds anything to do."""

import asyncio
from pathlib import Path

import pytest

from benchmarks.preview import measure

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]


def test_a_small_fleet_goes_through_the_benchmark_of_previews(tmp_path: Path) -> None:
    names = [f"gpu-node-{n}" for n in range(4)]
    costs, per_node = asyncio.run(measure(tmp_path, names, count=1, runs=1))
    # A preview with something to do would have ended the run.
    assert [len(paid) for paid in costs] == [1, 1, 1, 1]
    assert all(cost.seconds > 0 and cost.processor_s > 0 for paid in costs for cost in paid)
    assert per_node > 0
