"""What a user installs: one import name, plain files, all data, and metadata that a package index can show."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from mig_fleet.components.probe import zipapp
from mig_fleet.model import Report
from tests.packaging.conftest import ROOT
from tools.release import build_wheel, metadata

pytestmark = pytest.mark.slow
HOME = "https://github.com/mig-fleet/mig-fleet"
DATA = {
    "mig_fleet/py.typed",
    "mig_fleet/model/gpus/h100-80gb.toml",
    "mig_fleet/policy/PulumiPolicy.yaml",
    "mig_fleet/simulator/charts/gpu-operator/Chart.yaml",
    "mig_fleet/simulator/charts/gpu-operator/templates/_helpers.tpl",
    "mig_fleet/simulator/driver/nvml/state.c",
    "mig_fleet/simulator/driver/nvml/state.h",
    "mig_fleet/stacks/Pulumi.local.yaml",
    "mig_fleet/toolchain/engine/go.mod",
    "mig_fleet/toolchain/engine/go.sum",
    "mig_fleet/toolchain/pins.toml",
    "mig_fleet/toolchain/provider/main.go",
}
"""One file of each kind."""


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sources() -> set[str]:
    """Every file of the package in the tree, by the name that it is imported or read by."""
    files = (
        Path(folder, name).relative_to(ROOT).as_posix()
        for folder, _, names in os.walk(ROOT / "mig_fleet", followlinks=True)
        for name in names
    )
    return {file for file in files if "__pycache__" not in file}


def test_the_wheel_has_one_import_name(wheel: Path) -> None:
    top = {name.split("/")[0] for name in contents(wheel)}
    assert {name for name in top if not name.endswith(".dist-info")} == {"mig_fleet"}


def test_the_wheel_has_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    packed = {name for name in contents(wheel) if name.startswith("mig_fleet/")}
    assert packed - sources() == set()
    assert sources() - packed == set(), "add its suffix to [tool.setuptools.package-data] in pyproject.toml"
    assert packed >= DATA


def test_linked_folders_are_plain_files_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
    assert "mig_fleet/components/pool.py" in modes
    assert [name for name, mode in modes.items() if (mode & 0o170000) not in (0, 0o100000)] == []


def test_the_sdist_has_plain_files_and_no_tests(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    assert [member.name for member in members if not (member.isfile() or member.isdir())] == []
    names = {member.name.partition("/")[2] for member in members}
    assert names >= {"CHANGELOG.md", "LICENSE", "README.md", "mig_fleet/components/pool.py"}
    assert {name for name in names if name.startswith(("tests", "components", "stacks", "policy"))} == set()


def test_the_sdist_rebuilds_to_the_same_wheel(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    again = build_wheel(folder, tmp_path / "dist")
    assert contents(again) == contents(wheel)


def test_the_metadata_is_valid_and_complete(wheel: Path) -> None:
    found = metadata(wheel)
    assert (found.name, found.license_expression, found.license_files) == ("mig-fleet", "Apache-2.0", ["LICENSE"])
    assert found.description == (ROOT / "README.md").read_text()
    assert found.description_content_type == "text/markdown"
    assert {label: url for label, url in (found.project_urls or {}).items() if not url.startswith(HOME)} == {}
    assert {"Homepage", "Documentation", "Changelog", "Issues"} <= set(found.project_urls or {})
    assert {"Typing :: Typed", "Programming Language :: Python :: 3.14"} <= set(found.classifiers or ())
    assert found.author, "the authors are named"


def test_the_licence_text_is_in_the_wheel(wheel: Path) -> None:
    (text,) = (content for name, content in contents(wheel).items() if name.endswith(".dist-info/licenses/LICENSE"))
    assert b"Apache License" in text and b"The mig-fleet authors" in text


def test_the_simulators_dependencies_are_an_extra(wheel: Path) -> None:
    required = {each.name: str(each.marker) for each in metadata(wheel).requires_dist or ()}
    extra = {name for name, marker in required.items() if "simulator" in marker}
    assert extra == {"aiohttp", "cryptography"}
    assert {name for name, marker in required.items() if marker == "None"} >= {"pulumi", "kubernetes", "nvidia-ml-py"}


def test_the_commands_are_installed_and_their_modules_are_packed(wheel: Path) -> None:
    packed = contents(wheel)
    (text,) = (content for name, content in packed.items() if name.endswith("/entry_points.txt"))
    commands = dict(line.split(" = ") for line in text.decode().splitlines() if " = " in line)
    assert set(commands) == {"mig-fleet", "mig-probe"}
    modules = {target.split(":")[0].replace(".", "/") + ".py" for target in commands.values()}
    assert modules - packed.keys() == set()


def test_the_probe_packed_from_the_wheel_runs_on_a_bare_python(wheel: Path, tmp_path: Path) -> None:
    installed, program = tmp_path / "installed", tmp_path / "mig-probe.pyz"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    pack = (
        "from pathlib import Path; import mig_fleet; from mig_fleet.components.probe import zipapp; "
        f"Path({str(program)!r}).write_bytes(zipapp.build()); print(mig_fleet.__file__)"
    )
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-c", pack], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(str(installed))
    assert program.read_bytes() == zipapp.build(), "the same program as from the tree"
    bare = [sys.executable, "-I", "-S", str(program), "read", "--node", "n1", "--pod-resources", str(tmp_path)]
    report = subprocess.run(bare, capture_output=True, text=True, check=False, env={}).stdout
    assert Report.from_json(report).node == "n1"
