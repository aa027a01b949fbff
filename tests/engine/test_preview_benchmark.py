"""The benchmark of previews runs: both programs deploy, and neither finds anything to do."""

import asyncio
from pathlib import Path

import pytest

from benchmarks.preview import measure

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]


def test_a_small_fleet_goes_through_the_benchmark_of_previews(tmp_path: Path) -> None:
    names = [f"gpu-node-{n}" for n in range(4)]
    empty, pooled = asyncio.run(measure(tmp_path, names, count=1, runs=1))
    assert len(empty.seconds) == len(pooled.seconds) == 1, "a preview with something to do would have ended the run"
    assert pooled.state_bytes() > empty.state_bytes()
