"""The benchmarks of rollouts and of the probes' requests run with a small fleet."""

import asyncio
from pathlib import Path

import pytest

from benchmarks.probe_requests import Pace, measure
from benchmarks.rollout import LAYOUTS, rollouts

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]


def test_the_benchmark_of_rollouts_finds_the_times_of_every_wave(tmp_path: Path) -> None:
    with rollouts(2, tmp_path) as fleet:
        # Also the first layout of a fleet is a change of each node.
        found = fleet.change(2, LAYOUTS[0])
    assert [len(wave.nodes) for wave in found.waves] == [1, 1]
    assert 0 < found.manager_s < found.cost.seconds
    assert all(seconds > 0 for seconds in found.verification_s)
    assert str(found).split()[1:4:2] == ["2", "2"]


def test_the_benchmark_of_requests_counts_those_of_each_probe(tmp_path: Path) -> None:
    pace = Pace(start_s=0.1, idle_s=0.1, pending_s=0.5)
    _, _, changing = asyncio.run(measure(tmp_path, 2, 1, pace))
    # Each probe publishes its report for the new config.
    assert changing.requests["PATCH configmaps"] >= 2
