"""One control plane and one stack for all engine tests; each test starts from the baseline."""

import copy
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import toolchain
from simulator import Fleet
from tests.engine.deployment import Deployment

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
    """The stack as the baseline says, verified, no faults; whatever a test does to it is undone by the next one."""
    for node in project.fleet.node_names():
        project.fleet.heal(node)
    project.config = baseline(project.fleet)
    outcome = project.up()
    assert outcome.status == 0, outcome.text
    yield project


def baseline(fleet: Fleet) -> dict[str, Any]:
    """The local stack, with this fleet's kubeconfig and the chart by its full path."""
    document = yaml.safe_load((ROOT / "stacks" / "Pulumi.local.yaml").read_text())
    config = {key.removeprefix("mig-fleet:"): copy.deepcopy(value) for key, value in document["config"].items()}
    config["cluster"] = {"kubeconfig": str(fleet.kubeconfig)}
    config["operator"]["chart"] = str(ROOT / config["operator"]["chart"])
    for pool in config["pools"].values():
        pool["rollout"] = {"timeout": "60s"}
    return config
