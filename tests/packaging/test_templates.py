"""`pulumi new` and `pulumi policy new` with the templates, by the real CLI, up to a preview of the simulated fleet.

pip finds mig-fleet in the wheel of this tree; its dependencies come from the environment of this test run.
"""

import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from mig_fleet.simulator import CHARTS, Fleet
from tests.engine.command import run_pulumi
from tests.engine.deployment import engine
from tests.own_fleet import own_fleet_in
from tests.packaging.conftest import ROOT

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]
TEMPLATES = ROOT / "templates"
PROJECT = "gpu-prod"
LABEL = {"example.com/gpu-pool": "inference"}
NODE = {"name": "new-node-1", "gpu": "H100-80GB", "gpus": 8, "labels": LABEL}


@dataclass
class User:
    """A user with the CLI and an empty folder for each project."""

    folder: Path
    pulumi: Path
    environment: dict[str, str]

    def run(self, *arguments: str, folder: str = PROJECT) -> str:
        return run_pulumi(self.pulumi, *arguments, folder=self.folder / folder, environment=self.environment)

    def complete(self, folder: str) -> None:
        """Let the environment that the CLI made find the dependencies, too."""
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        packages = self.folder / folder / "venv" / "lib" / version / "site-packages"
        (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")


@pytest.fixture(scope="module")
def fleet(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One node, in a cluster that no other test uses."""
    with own_fleet_in(tmp_path_factory.mktemp("new"), binaries, yaml.safe_dump({"nodes": [NODE]})) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def user(fleet: Fleet, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> User:
    folder = tmp_path_factory.mktemp("user")
    (folder / "state").mkdir()
    environment, pulumi = engine(folder)
    environment = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
    offline = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_FIND_LINKS": str(wheel.parent)}
    return User(folder, pulumi, {**environment, **offline, "KUBECONFIG": str(fleet.kubeconfig)})


@pytest.fixture(scope="module")
def created(user: User) -> str:
    """What `pulumi new` prints; the project is complete afterwards."""
    (user.folder / PROJECT).mkdir()
    text = user.run(
        "new",
        str(TEMPLATES / "fleet"),
        "--name",
        PROJECT,
        "--stack",
        "dev",
        "--secrets-provider",
        "passphrase",
        "--yes",
    )
    user.complete(PROJECT)
    return text


def test_pulumi_new_makes_a_project_of_the_users_name_and_says_how_to_begin(user: User, created: str) -> None:
    project = user.folder / PROJECT
    assert yaml.safe_load((project / "Pulumi.yaml").read_text())["name"] == PROJECT
    assert "mig-fleet check stacks/Pulumi.dev.yaml" in created
    assert len([line for line in (project / "__main__.py").read_text().splitlines() if line]) == 2


def test_the_stack_file_of_the_template_is_kept_and_completed(user: User, created: str) -> None:
    text = (user.folder / PROJECT / "stacks" / "Pulumi.dev.yaml").read_text()
    assert "mig-fleet:pools" in text and "encryptionsalt" in text


def test_the_first_preview_plans_the_nodes_with_the_label(user: User, created: str) -> None:
    for key, value in {"chart": str(CHARTS / "gpu-operator"), "version": "v26.7.0"}.items():
        user.run("config", "set", "--path", f"mig-fleet:operator.{key}", value)
    text = user.run("preview")
    assert "mig-fleet:index:Fleet" in text
    assert "fleet-inference-wave-0-assigned" in text


def test_pulumi_policy_new_makes_a_pack_for_previews(user: User, created: str) -> None:
    (user.folder / "rules").mkdir()
    assert "Policy Pack" in user.run("policy", "new", str(TEMPLATES / "policy"), folder="rules")
    user.complete("rules")
    text = user.run("preview", "--policy-pack", str(user.folder / "rules"))
    assert "our-pools-name-their-team" in text
    assert "must belong to a pool whose name begins with one of" in text
