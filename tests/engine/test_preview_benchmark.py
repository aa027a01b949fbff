"""The benchmark of previews runs: its programs deploy, and none finds anything to do."""

import asyncio
from pathlib import Path

import pytest

from benchmarks.preview import measure

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]


def test_a_small_fleet_goes_through_the_benchmark_of_previews(tmp_path: Path) -> None:
    names = [f"gpu-node-{n}" for n in range(4)]
    empty, idle, pooled = asyncio.run(measure(tmp_path, names, count=1, runs=1))
    for project in (empty, idle, pooled):
        assert len(project.seconds) == 1, "a preview with something to do would have ended the run"
    assert pooled.state_bytes() > idle.state_bytes() > empty.state_bytes()
