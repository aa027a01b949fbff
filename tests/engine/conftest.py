"""One control plane and one stack for all engine tests; each test begins with the baseline."""

from collections.abc import Iterator

import pytest

from mig_fleet.simulator import Fleet
from tests.engine.deployment import Deployment, baseline, create_project, deploy


@pytest.fixture(scope="session")
def project(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The stack, not yet deployed."""
    return create_project(tmp_path_factory.mktemp("project"), fleet, baseline(fleet))


@pytest.fixture
def deployed(project: Deployment) -> Iterator[Deployment]:
    """The baseline stack, verified and without faults; the next test undoes what a test changes."""
    yield deploy(project, baseline(project.fleet))
