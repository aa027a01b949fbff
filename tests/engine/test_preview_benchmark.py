"""The benchmark of previews runs: its programs deploy, and their previews have no changes."""

import asyncio
from pathlib import Path

import pytest

from benchmarks.preview import PROGRAMS, measure

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]


def test_the_benchmark_of_previews_runs_with_a_small_fleet(tmp_path: Path) -> None:
    fleet = asyncio.run(measure(tmp_path, nodes=4, pools=1, runs=1))
    # A preview with changes would have ended the run.
    assert {name: len(paid) for name, paid in fleet.costs.items()} == dict.fromkeys(PROGRAMS, 1)
    assert all(cost.seconds > 0 and cost.processor_s > 0 for paid in fleet.costs.values() for cost in paid)
    assert fleet.bytes_per_node > 0
