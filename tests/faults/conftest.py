"""One simulated fleet for all faults, one API server with faults in front of it, and short timeouts."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mig_fleet.simulator import Fleet
from mig_fleet.simulator.faulty_api import FaultyApi
from tests.faults.fault import Fault
from tests.faults.play import Result, play
from tests.faults.scenario import FLEET, Scenario
from tests.faults.short_timeouts import shorten_timeouts
from tests.faults.stack import Stack


@pytest.fixture(scope="session")
def scenario(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    """The simulated nodes, with everything installed."""
    folder = tmp_path_factory.mktemp("faults")
    file = folder / "fleet-file.yaml"
    file.write_text(FLEET)
    fleet = Fleet(folder / "fleet")
    fleet.up(binaries, file, attached=True)
    scenario = Scenario(fleet)
    scenario.install()
    yield scenario
    fleet.down()


@pytest.fixture(scope="session")
def api(scenario: Scenario) -> Iterator[FaultyApi]:
    """The API server that the product uses; its address is the same for all faults."""
    with scenario.fleet.faulty_api() as api:
        yield api


@pytest.fixture(scope="session")
def stack(api: FaultyApi) -> Stack:
    """Each fault sets its state; recorded programs are kept."""
    return Stack(api.kubeconfig)


@pytest.fixture(scope="session")
def _results() -> dict[str, Result]:
    return {}


@pytest.fixture
def played(scenario: Scenario, stack: Stack, api: FaultyApi, _results: dict[str, Result]) -> Callable[[Fault], Result]:
    """The result of a fault; each fault is played once per test run."""

    def played(fault: Fault) -> Result:
        if fault.name not in _results:
            _results[fault.name] = play(fault, scenario, stack, api)
        return _results[fault.name]

    return played


@pytest.fixture(autouse=True)
def _short_timeouts() -> Iterator[None]:
    before = shorten_timeouts()
    yield
    for (module, name), seconds in before.items():
        setattr(module, name, seconds)
