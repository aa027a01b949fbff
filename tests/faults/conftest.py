"""One fleet for all faults, one bad API server in front of it, and a product in a hurry."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mig_fleet.simulator import Fleet
from mig_fleet.simulator.bad_api import BadApi
from tests.faults.fault import Fault
from tests.faults.ground import FLEET, Ground
from tests.faults.hurry import hurry
from tests.faults.outcome import Played, play
from tests.faults.stack import Stack


@pytest.fixture(scope="session")
def ground(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """The simulated nodes, installed."""
    folder = tmp_path_factory.mktemp("faults")
    file = folder / "fleet-file.yaml"
    file.write_text(FLEET)
    fleet = Fleet(folder / "fleet")
    fleet.up(binaries, file, attached=True)
    ground = Ground(fleet)
    ground.install()
    yield ground
    fleet.down()


@pytest.fixture(scope="session")
def api(ground: Ground) -> Iterator[BadApi]:
    """What the product talks to: the stacks of all faults live behind one address."""
    with ground.fleet.bad_api() as api:
        yield api


@pytest.fixture(scope="session")
def stack(api: BadApi) -> Stack:
    """Its state is set by each fault; what it recorded lasts."""
    return Stack(api.kubeconfig)


@pytest.fixture(scope="session")
def _results() -> dict[str, Played]:
    return {}


@pytest.fixture
def played(ground: Ground, stack: Stack, api: BadApi, _results: dict[str, Played]) -> Callable[[Fault], Played]:
    """What came of a fault; each is played once in a run."""

    def played(fault: Fault) -> Played:
        if fault.name not in _results:
            _results[fault.name] = play(fault, ground, stack, api)
        return _results[fault.name]

    return played


@pytest.fixture(autouse=True)
def _in_a_hurry() -> Iterator[None]:
    before = hurry()
    yield
    for (module, name), seconds in before.items():
        setattr(module, name, seconds)
