"""One control plane and one stack for all engine tests; each test begins with the baseline."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mig_fleet import toolchain
from mig_fleet.simulator import Fleet
from tests.engine.deployment import Deployment, baseline, deploy

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def project(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The stack, not yet deployed."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "stacks").mkdir()
    (folder / "state").mkdir()
    (folder / ".venv").symlink_to(ROOT / ".venv")
    workspace = toolchain.workspace(ROOT)
    environment = {**workspace.environment(), "PULUMI_BACKEND_URL": f"file://{folder / 'state'}"}
    deployment = Deployment(folder, fleet, environment, workspace.pulumi, baseline(fleet))
    created = deployment.run("stack", "init", "--secrets-provider", "passphrase")
    assert created.status == 0, created.text
    return deployment


@pytest.fixture
def deployed(project: Deployment) -> Iterator[Deployment]:
    """The baseline stack, verified and without faults; the next test undoes what a test changes."""
    yield deploy(project, baseline(project.fleet))
