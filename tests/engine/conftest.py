"""One control plane and one stack for the engine tests of a process; each test begins with the baseline."""

from collections.abc import Iterator

import pytest

from mig_fleet.simulator import Fleet
from tests.engine.deployment import Deployment, baseline, create_project, deploy


@pytest.fixture(scope="session")
def project(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The stack, not yet deployed."""
    project = create_project(tmp_path_factory.mktemp("project"), fleet, baseline(fleet))
    project.remembers = True
    return project


@pytest.fixture
def deployed(project: Deployment) -> Iterator[Deployment]:
    """The baseline stack, verified and without faults; the next test undoes what a test changes."""
    yield deploy(project, baseline(project.fleet))
