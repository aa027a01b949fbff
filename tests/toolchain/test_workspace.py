"""The project's own corner: an engine with its host beside it, and an environment without the user's Pulumi."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mig_fleet import toolchain
from tests.toolchain.conftest import Computer


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "a project"  # a space, as on many a desktop
    folder.mkdir()
    return folder


@pytest.fixture
def built(computer: Computer) -> toolchain.Found:
    computer.has_go()
    return toolchain.ensure(around=computer.around)


def official(computer: Computer) -> toolchain.Found:
    """An engine of the release archive: the Python host lies beside it."""
    computer.has_go()
    computer.wants("pulumi", computer.has("official", "pulumi"))
    for name in ("pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python"):
        (computer.root / "official" / name).write_text("official")
    return toolchain.ensure(around=computer.around)


def test_bin_has_every_binary_and_the_engine_is_a_file_of_its_own(project, built):
    work = toolchain.workspace(project, built)
    names = {file.name for file in work.bin.iterdir()}
    assert {"pulumi", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"} <= names
    assert not work.pulumi.is_symlink(), "the engine looks for hosts beside its real file"
    assert all(os.access(work.bin / name, os.X_OK) for name in names)


def test_a_built_engine_gets_our_host_run_by_this_python(project, built):
    work = toolchain.workspace(project, built)
    host = (work.bin / "pulumi-language-python").read_text()
    assert sys.executable in host and "-m mig_fleet.toolchain.language_host" in host


def test_an_official_engine_keeps_its_official_host(project, computer):
    work = toolchain.workspace(project, official(computer))
    for name in ("pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python"):
        assert (work.bin / name).read_text() == "official"


def test_going_back_from_an_official_engine_to_a_built_one_leaves_none_of_its_files(project, computer, built):
    toolchain.workspace(project, official(computer))
    work = toolchain.workspace(project, built)
    assert not (work.bin / "pulumi-language-python-exec").exists()
    assert "mig_fleet.toolchain.language_host" in (work.bin / "pulumi-language-python").read_text()
    assert (computer.root / "official" / "pulumi-language-python").read_text() == "official", "the source is untouched"


def test_the_dynamic_providers_host_takes_the_programs_python(project, built):
    work = toolchain.workspace(project, built)
    python = project / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    answer = subprocess.run(
        [work.bin / "pulumi-resource-pulumi-python", "127.0.0.1:1"],
        env={"PULUMI_RUNTIME_VIRTUALENV": ".venv", "PATH": os.defpath},
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == "-u -m pulumi.dynamic 127.0.0.1:1"


def test_the_plugin_lies_where_the_engine_looks(project, built):
    work = toolchain.workspace(project, built)
    plugin = work.pulumi_home / "plugins" / "resource-kubernetes-v4.25.0" / "pulumi-resource-kubernetes"
    assert os.access(plugin, os.X_OK)


def test_preparing_again_changes_nothing(project, built):
    def files() -> dict[Path, int]:
        return {file: file.lstat().st_ctime_ns for file in work.folder.rglob("*") if not file.is_dir()}

    work = toolchain.workspace(project, built)
    before = files()
    toolchain.workspace(project, built)
    assert files() == before


def test_another_engine_replaces_the_one_that_was_there(project, computer, built):
    toolchain.workspace(project, built)
    computer.wants("pulumi", computer.has("newer", "pulumi", "v3.300.0"))
    work = toolchain.workspace(project, toolchain.ensure(around=computer.around))
    assert "v3.300.0" in work.pulumi.read_text()


def test_nothing_of_the_users_pulumi_reaches_ours(project, built):
    users = {
        "PATH": "/usr/bin",
        "HOME": "/home/somebody",
        "KUBECONFIG": "/home/somebody/.kube/config",
        "PULUMI_ACCESS_TOKEN": "pul-0123",
        "PULUMI_STACK": "prod",
        "PULUMI_BACKEND_URL": "https://api.pulumi.com",
        "PULUMI_HOME": "/home/somebody/.pulumi",
        "PULUMI_CONFIG_PASSPHRASE_FILE": "/home/somebody/passphrase",
        "PULUMI_CREDENTIALS_PATH": "/home/somebody/.pulumi",
    }
    work = toolchain.workspace(project, built)
    ours = work.environment(users)
    assert {name for name in ours if name.startswith("PULUMI_")} == {
        "PULUMI_HOME",
        "PULUMI_BACKEND_URL",
        "PULUMI_CONFIG_PASSPHRASE",
        "PULUMI_IGNORE_AMBIENT_PLUGINS",
        "PULUMI_SKIP_UPDATE_CHECK",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION",
    }
    assert Path(ours["PULUMI_HOME"]) == project / ".mig-fleet" / "pulumi-home"
    assert ours["PULUMI_BACKEND_URL"] == f"file://{project}/.mig-fleet/state".replace(" ", "%20")
    assert ours["PULUMI_CONFIG_PASSPHRASE"] == ""
    assert ours["PATH"].split(os.pathsep) == [str(work.bin), "/usr/bin"]
    assert ours["KUBECONFIG"] == users["KUBECONFIG"], "what is not Pulumi's is left alone"


def test_our_host_in_another_projects_bin_is_not_taken_for_the_official_one(project, computer, built, tmp_path):
    """A shell may have a workspace's bin on its PATH; the Python in that host is the other project's."""
    other = toolchain.workspace(tmp_path / "other", built)
    (other.bin / "pulumi-language-python").write_text(
        "#!/bin/sh\nexec /gone/python -m mig_fleet.toolchain.language_host\n"
    )
    computer.wants("pulumi", other.pulumi)
    work = toolchain.workspace(project, toolchain.ensure(around=computer.around))
    assert sys.executable in (work.bin / "pulumi-language-python").read_text()
