"""A user's own program, in a folder and an environment that know nothing of this repository.

The folder has packages named ``components`` (as Pulumi proposes) and ``probe``. The environment has the wheel; the
dependencies come from the environment of this test run, without its editable installation of mig-fleet.
"""

import base64
import io
import json
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mig_fleet import toolchain
from mig_fleet.simulator import CHARTS, Fleet
from tests.engine.command import run_pulumi
from tests.own_fleet import own_fleet_in
from tests.packaging.user_program import FILES

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]
STACK = "dev"
NODE = "fresh-node-1"
FLEET = f"nodes: [{{name: {NODE}, gpu: H100-80GB, gpus: 2}}]\n"


def an_environment(folder: Path, wheel: Path) -> Path:
    """A virtual environment with mig-fleet from the wheel; returns its Python.

    A path in a ``.pth`` file is searched after the environment's own packages, and the ``.pth`` files there are not
    read, so the editable installation is not seen.
    """
    venv.create(folder, symlinks=True, with_pip=False)
    python = folder / "bin" / "python"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (folder / "lib" / version / "site-packages" / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = ["-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    done = subprocess.run([sys.executable, *install], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return python


@pytest.fixture(scope="module")
def own_fleet(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One node, in a cluster that no other test uses."""
    with own_fleet_in(tmp_path_factory.mktemp("fresh"), binaries, FLEET) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def folder(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The user's folder with its environment."""
    folder = tmp_path_factory.mktemp("our-gpus")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    an_environment(folder / ".venv", wheel)
    return folder


@pytest.fixture(scope="module")
def outputs(folder: Path, own_fleet: Fleet) -> dict[str, Any]:
    """The outputs of the stack after one `pulumi up`."""
    workspace = toolchain.workspace(folder)
    environment = {name: value for name, value in workspace.environment().items() if name != "PYTHONPATH"}

    def pulumi(*arguments: str) -> str:
        return run_pulumi(workspace.pulumi, *arguments, "--stack", STACK, folder=folder, environment=environment)

    pulumi("stack", "init", "--secrets-provider", "passphrase")
    pulumi("config", "set", "kubeconfig", str(own_fleet.kubeconfig))
    pulumi("config", "set", "chart", str(CHARTS / "gpu-operator"))
    pulumi("config", "set", "--path", "nodes[0]", NODE)
    pulumi("up", "--yes", "--skip-preview")
    found: dict[str, Any] = json.loads(pulumi("stack", "output", "--json"))
    return found


def test_mig_fleet_comes_from_the_wheel(folder: Path, outputs: dict[str, Any]) -> None:
    assert Path(outputs["package"]).is_relative_to(folder / ".venv")


def test_the_users_own_packages_keep_their_names(outputs: dict[str, Any]) -> None:
    assert outputs["ours"] == ["components of the user", "probe of the user"]


def test_a_pool_is_partitioned_and_verified(outputs: dict[str, Any], own_fleet: Fleet) -> None:
    assert outputs["slices"] == {NODE: "GPU 0-1: 7x 1g.10gb"}
    assert [dict(gpu.counts()) for gpu in own_fleet.driver(NODE).gpus] == [{"1g.10gb": 7}] * 2


@pytest.mark.usefixtures("outputs")
def test_the_probe_on_the_nodes_is_ours(own_fleet: Fleet, wheel: Path) -> None:
    found = own_fleet.call("get", "/api/v1/namespaces/mig-fleet/configmaps")["items"]
    (content,) = (text for each in found for text in (each.get("binaryData") or {}).values())
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(content))) as packed, zipfile.ZipFile(wheel) as installed:
        ours = [name for name in packed.namelist() if name.startswith("mig_fleet/probe/")]
        names = [name for name in ours if not name.endswith("__init__.py")]
        assert "mig_fleet/probe/__main__.py" in names
        assert [name for name in packed.namelist() if name.startswith(("probe/", "components/"))] == []
        assert {name: packed.read(name) for name in names} == {name: installed.read(name) for name in names}
