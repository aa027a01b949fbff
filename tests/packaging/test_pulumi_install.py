"""`pulumi install` in a fresh clone makes a working environment, for the program and for the policy pack.

Pulumi Deployments, the Kubernetes Operator and pulumi/actions run this command before they run the program.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mig_fleet import toolchain
from tests.packaging.conftest import ROOT

REQUIREMENTS = ("requirements.txt", "policy/requirements.txt")
ENTRY_FILES = ("Pulumi.yaml", "__main__.py", "requirements.txt")
IMPORTS = """
import pulumi, pulumi_kubernetes, pulumi_policy
from mig_fleet import Fleet
from mig_fleet.policy.pulumi_policies import every_pulumi_policy
assert every_pulumi_policy()
import mig_fleet
print(mig_fleet.__file__)
"""


def pins(text: str) -> dict[str, str]:
    return dict(re.findall(r"^(pulumi[a-z-]*)==([\d.]+)", text, re.MULTILINE))


@pytest.mark.parametrize("file", REQUIREMENTS)
def test_pulumi_install_gets_the_versions_of_the_lock_file(file: str) -> None:
    found = pins((ROOT / file).read_text())
    assert found.keys() == {"pulumi", "pulumi-kubernetes"}
    assert found.items() <= pins((ROOT / "requirements.lock").read_text()).items()


@pytest.fixture
def clone(tree: Path, tmp_path: Path) -> Path:
    """What a program and a policy pack need of a clone, without an environment."""
    folder = tmp_path / "clone"
    shutil.copytree(tree, folder, symlinks=True)
    for name in ENTRY_FILES:
        shutil.copy(ROOT / name, folder / name)
    assert not (folder / ".venv").exists()
    return folder


@pytest.mark.engine
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("inside", [".", "policy"], ids=["program", "policy pack"])
def test_pulumi_install_makes_a_working_environment(inside: str, clone: Path) -> None:
    workspace = toolchain.workspace(ROOT)
    inherited = {name: value for name, value in workspace.environment().items() if name != "PYTHONPATH"}
    # pip would compile eight thousand files, of which the program loads some hundred, in two fifths of its time.
    environment = {**inherited, "PIP_COMPILE": "0"}
    done = subprocess.run(
        [workspace.pulumi, "install", "--no-plugins", "--non-interactive"],
        cwd=clone / inside,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    python = clone / ".venv" / "bin" / "python"
    found = subprocess.run([python, "-c", IMPORTS], cwd=clone, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert Path(found.stdout.strip()).is_relative_to(clone)
