"""The project's own folder: an engine with its host beside it, and an environment without the user's settings."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mig_fleet import toolchain
from tests.toolchain.conftest import Computer


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "a project"  # a space, as in many home folders
    folder.mkdir()
    return folder


@pytest.fixture
def built(computer: Computer) -> toolchain.SearchResult:
    computer.has_go()
    return toolchain.ensure(environment=computer.environment)


def official(computer: Computer) -> toolchain.SearchResult:
    """An engine of the release archive, with the Python host beside it."""
    computer.has_go()
    computer.override("pulumi", computer.has("official", "pulumi"))
    for name in ("pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python"):
        (computer.root / "official" / name).write_text("official")
    return toolchain.ensure(environment=computer.environment)


def test_bin_has_every_binary_and_the_engine_is_a_file_of_its_own(project: Path, built: toolchain.SearchResult) -> None:
    work = toolchain.workspace(project, built)
    names = {file.name for file in work.bin.iterdir()}
    assert {"pulumi", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"} <= names
    assert not work.pulumi.is_symlink(), "the engine looks for hosts beside its real file"
    assert all(os.access(work.bin / name, os.X_OK) for name in names)


def test_a_built_engine_gets_our_host_run_by_this_python(project: Path, built: toolchain.SearchResult) -> None:
    work = toolchain.workspace(project, built)
    host = (work.bin / "pulumi-language-python").read_text()
    assert sys.executable in host and "-m mig_fleet.language_host" in host


def test_an_official_engine_keeps_its_official_host(project: Path, computer: Computer) -> None:
    work = toolchain.workspace(project, official(computer))
    for name in ("pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python"):
        assert (work.bin / name).read_text() == "official"


def test_going_back_from_an_official_engine_to_a_built_one_leaves_none_of_its_files(
    project: Path, computer: Computer, built: toolchain.SearchResult
) -> None:
    toolchain.workspace(project, official(computer))
    work = toolchain.workspace(project, built)
    assert not (work.bin / "pulumi-language-python-exec").exists()
    assert "mig_fleet.language_host" in (work.bin / "pulumi-language-python").read_text()
    assert (computer.root / "official" / "pulumi-language-python").read_text() == "official", "the source is untouched"


def test_the_dynamic_provider_runs_on_the_programs_python(project: Path, built: toolchain.SearchResult) -> None:
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


def test_the_plugin_is_where_the_engine_searches(project: Path, built: toolchain.SearchResult) -> None:
    work = toolchain.workspace(project, built)
    plugin = work.pulumi_home / "plugins" / "resource-kubernetes-v4.25.0" / "pulumi-resource-kubernetes"
    assert os.access(plugin, os.X_OK)


def test_the_engine_has_no_folder_for_its_debug_logs(project: Path, built: toolchain.SearchResult) -> None:
    logs = project / ".mig-fleet" / "pulumi-home" / "logs"
    logs.mkdir(parents=True)
    (logs / "of-an-earlier-command.log").touch()
    toolchain.workspace(project, built)
    assert logs.is_file(), "a folder would get 6 MB from each command"


def test_the_control_plane_is_linked_without_an_engine_and_a_provider(project: Path, computer: Computer) -> None:
    computer.has_go()
    families = [toolchain.family(name) for name in ("kube", "etcd")]
    found = toolchain.ensure(families, environment=computer.environment)
    folder = toolchain.link_control_plane(project, found)
    assert {file.name for file in folder.iterdir()} == {tool.name for tool in found}
    assert folder == toolchain.Workspace(project, found).bin


def test_preparing_again_changes_nothing(project: Path, built: toolchain.SearchResult) -> None:
    def files() -> dict[Path, int]:
        return {file: file.lstat().st_ctime_ns for file in work.folder.rglob("*") if not file.is_dir()}

    work = toolchain.workspace(project, built)
    before = files()
    toolchain.workspace(project, built)
    assert files() == before


def test_another_engine_replaces_the_previous_one(
    project: Path, computer: Computer, built: toolchain.SearchResult
) -> None:
    toolchain.workspace(project, built)
    computer.override("pulumi", computer.has("newer", "pulumi", "v3.300.0"))
    work = toolchain.workspace(project, toolchain.ensure(environment=computer.environment))
    assert "v3.300.0" in work.pulumi.read_text()


def test_the_users_pulumi_settings_are_not_used(project: Path, built: toolchain.SearchResult) -> None:
    users = {
        "PATH": "/usr/bin",
        "HOME": "/home/user",
        "KUBECONFIG": "/home/user/.kube/config",
        "PULUMI_ACCESS_TOKEN": "pul-0123",
        "PULUMI_STACK": "prod",
        "PULUMI_BACKEND_URL": "https://api.pulumi.com",
        "PULUMI_HOME": "/home/user/.pulumi",
        "PULUMI_CONFIG_PASSPHRASE_FILE": "/home/user/passphrase",
        "PULUMI_CREDENTIALS_PATH": "/home/user/.pulumi",
    }
    work = toolchain.workspace(project, built)
    ours = work.environment(users)
    assert {name for name in ours if name.startswith("PULUMI_")} == {
        "PULUMI_HOME",
        "PULUMI_BACKEND_URL",
        "PULUMI_CONFIG_PASSPHRASE",
        "PULUMI_IGNORE_AMBIENT_PLUGINS",
        "PULUMI_SKIP_UPDATE_CHECK",
        "PULUMI_OPTION_SHOW_FULL_OUTPUT",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION",
    }
    assert Path(ours["PULUMI_HOME"]) == project / ".mig-fleet" / "pulumi-home"
    assert ours["PULUMI_BACKEND_URL"] == f"file://{project}/.mig-fleet/state".replace(" ", "%20")
    assert ours["PULUMI_CONFIG_PASSPHRASE"] == ""
    assert ours["PATH"].split(os.pathsep) == [str(work.bin), "/usr/bin"]
    assert ours["KUBECONFIG"] == users["KUBECONFIG"], "what is not Pulumi's is left alone"


def test_a_stack_of_a_real_cluster_keeps_the_users_passphrase(project: Path, built: toolchain.SearchResult) -> None:
    users = {"PULUMI_CONFIG_PASSPHRASE": "a secret", "PULUMI_CONFIG_PASSPHRASE_FILE": "/home/user/passphrase"}
    work = toolchain.workspace(project, built)
    assert users.items() <= work.environment(users, "prod").items()
    assert "PULUMI_CONFIG_PASSPHRASE" not in work.environment({}, "prod"), "Pulumi asks for it"


def test_no_other_user_can_read_the_folder_with_the_state(project: Path, built: toolchain.SearchResult) -> None:
    (project / ".mig-fleet").mkdir(mode=0o755)
    work = toolchain.workspace(project, built)
    for folder in (work.folder, work.state, work.pulumi_home, work.bin):
        assert folder.stat().st_mode & 0o077 == 0, folder


def test_our_host_in_another_projects_bin_is_not_used_as_the_official_one(
    project: Path, computer: Computer, built: toolchain.SearchResult, tmp_path: Path
) -> None:
    """A shell may have a workspace's bin on its PATH; the Python in that host is the other project's."""
    other = toolchain.workspace(tmp_path / "other", built)
    (other.bin / "pulumi-language-python").write_text("#!/bin/sh\nexec /gone/python -m mig_fleet.language_host\n")
    computer.override("pulumi", other.pulumi)
    work = toolchain.workspace(project, toolchain.ensure(environment=computer.environment))
    assert sys.executable in (work.bin / "pulumi-language-python").read_text()
