"""The examples on the simulated fleet, copied as they are: update, a preview without changes, drift, destroy."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mig_fleet.simulator import CHARTS, Fleet
from mig_fleet.simulator.polling import wait_until
from tests.engine.command import run_pulumi
from tests.engine.deployment import ROOT, engine
from tests.engine.yaml_program import install_yaml_host
from tests.forked_python import forked_python
from tests.own_fleet import own_fleet_in

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]
SLICES = {
    "inference": {"gpu-node-1": "GPU 0-7: 7x 1g.10gb", "gpu-node-2": "GPU 0-7: 7x 1g.10gb"},
    "training": {"gpu-node-4": "GPU 0-1: 2x 3g.40gb; GPU 2-3: MIG off"},
}


@dataclass
class Example:
    """A copy of an example beside a copy of the plugin's folder, with a backend of its own."""

    folder: Path
    pulumi: Path
    environment: dict[str, str]

    def run(self, *arguments: str) -> str:
        return run_pulumi(self.pulumi, *arguments, "--stack", "dev", folder=self.folder, environment=self.environment)

    def outputs(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("stack", "output", "--json"))
        return found


@pytest.fixture(scope="module")
def own_fleet(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The fleet that `mig-fleet simulate up` starts, in a cluster that no other test uses."""
    with own_fleet_in(tmp_path_factory.mktemp("examples"), binaries) as fleet:
        yield fleet


@pytest.fixture(params=["simulated-python", "simulated-yaml"])
def example(request: pytest.FixtureRequest, own_fleet: Fleet, tmp_path: Path) -> Iterator[Example]:
    """The stack `dev` of an example, destroyed at the end."""
    home = tmp_path / "home"
    (home / "state").mkdir(parents=True)
    environment, pulumi = engine(home)
    folder = tmp_path / "examples" / str(request.param)
    shutil.copytree(ROOT / "examples" / str(request.param), folder, ignore=shutil.ignore_patterns("venv", ".mig-fleet"))
    (folder / ".mig-fleet").mkdir()
    (folder / ".mig-fleet" / "fleet").symlink_to(own_fleet.kubeconfig.parent)
    example = Example(folder, pulumi, environment)
    if (folder / "__main__.py").exists():
        (folder / "venv").symlink_to(forked_python())
    else:
        shutil.copytree(ROOT / "plugin", tmp_path / "plugin", ignore=shutil.ignore_patterns("venv"))
        (tmp_path / "plugin" / "venv").symlink_to(forked_python())
        install_yaml_host(Path(environment["PULUMI_HOME"]))
    example.run("stack", "init", "--secrets-provider", "passphrase")
    if not (folder / "__main__.py").exists():
        example.run("config", "set", "chart", os.path.relpath(CHARTS / "gpu-operator", folder))
    yield example
    example.run("destroy", "--yes", "--skip-preview")


def test_an_example_does_what_its_page_says(example: Example, own_fleet: Fleet) -> None:
    example.run("up", "--yes", "--skip-preview")
    outputs = example.outputs()
    assert {pool: dict(nodes) for pool, nodes in outputs["slices"].items()} == SLICES
    assert outputs["capacity"]["nvidia.com/mig-1g.10gb"] == 112
    example.run("preview", "--expect-no-changes")
    own_fleet.destroy_slice("gpu-node-1", gpu=0, start=0)

    def is_seen() -> bool:
        return "slice missing: gpu-node-1: GPU 0" in example.run("preview", "--diff")

    wait_until(is_seen, "the preview names the slice that is missing")
    example.run("up", "--yes", "--skip-preview")
    assert dict(own_fleet.driver("gpu-node-1").gpus[0].counts()) == {"1g.10gb": 7}
