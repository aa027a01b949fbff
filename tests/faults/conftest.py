"""One simulated fleet for all faults, one API server with faults in front of it, and short timeouts."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.all_faults import FAULTS
from tests.faults.document import DOCUMENT, WRITE, document
from tests.faults.fault_fleet import FaultFleet
from tests.faults.fault_run import FaultRun
from tests.faults.play import Result
from tests.faults.player import Player
from tests.faults.scenario import Scenario
from tests.faults.short_timeouts import shorten_timeouts
from tests.played_again import note


@pytest.fixture(scope="module")
def _fleet_of_file(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultFleet]:
    fleet = FaultFleet(binaries, tmp_path_factory.mktemp("faults"))
    yield fleet
    fleet.stop()


@pytest.fixture
def fault_fleet(_fleet_of_file: FaultFleet, request: pytest.FixtureRequest) -> Iterator[FaultFleet]:
    """The fleet; a test that fails leaves it to no other test."""
    failed_before = request.session.testsfailed
    yield _fleet_of_file
    if request.session.testsfailed > failed_before:
        _fleet_of_file.spoil()


@pytest.fixture
def run(fault_fleet: FaultFleet) -> FaultRun:
    """The pool with the old layout, verified."""
    return fault_fleet.ready()


@pytest.fixture
def scenario(run: FaultRun) -> Scenario:
    """The simulated nodes, with everything installed, in the state in which every fault begins."""
    return run.scenario


@pytest.fixture(scope="session")
def _results() -> Iterator[dict[str, Result]]:
    results: dict[str, Result] = {}
    yield results
    if WRITE in os.environ:
        DOCUMENT.write_text(document(FAULTS, results))


@pytest.fixture(scope="session")
def _again() -> list[str]:
    """The faults that were played a second time."""
    return []


@pytest.fixture
def player(
    fault_fleet: FaultFleet, _results: dict[str, Result], _again: list[str], request: pytest.FixtureRequest
) -> Player:
    return Player(fault_fleet, _results, _again, lambda text: note(request.node, text))


@pytest.fixture(autouse=True)
def _short_timeouts() -> Iterator[None]:
    before = shorten_timeouts()
    yield
    for (module, name), seconds in before.items():
        setattr(module, name, seconds)
