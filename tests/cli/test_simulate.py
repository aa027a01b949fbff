"""`mig-fleet simulate` runs no program from a folder that another user may have filled."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mig_fleet import toolchain
from mig_fleet.cli.__main__ import main
from mig_fleet.simulator import Fleet
from mig_fleet.simulator.genuine import namespace
from mig_fleet.simulator.running import Status

COMMANDS = [["up"], ["down"], ["status"], ["prometheus"], ["fault", "n1"], ["destroy-slice", "n1", "--start", "0"]]


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["simulate", *words])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a toolchain without tools and a fleet that starts at once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(toolchain, "ensure", lambda *_, **__: ())
    monkeypatch.setattr(Fleet, "up", lambda *_, **__: Status(phase="ready"))
    return tmp_path


@pytest.mark.parametrize("exists", [True, False], ids=["to a folder", "to nothing"])
@pytest.mark.parametrize("link", [".mig-fleet", ".mig-fleet/fleet", ".mig-fleet/fleet/bin"])
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_a_symbolic_link_in_place_of_a_fleets_folder_is_refused(
    words: list[str], link: str, exists: bool, folder: Path
) -> None:
    target, path = folder / "of-another-user", folder / link
    if exists:
        (target / "fleet" / "bin").mkdir(parents=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    found = run(*words)
    assert found.exit_code == 1 and isinstance(found.exception, SystemExit), found.exception
    assert found.output.startswith(f"Error: {path} is a symbolic link; move it away"), found.output


def test_a_fleets_folders_are_private(folder: Path) -> None:
    (folder / ".mig-fleet").mkdir()
    (folder / ".mig-fleet").chmod(0o777)
    found = run("up")
    assert found.exit_code == 0, found.output
    made = [folder / ".mig-fleet", *(folder / ".mig-fleet").rglob("*")]
    assert [(each.name, each.stat().st_mode & 0o777) for each in made] == [
        (".mig-fleet", 0o700),
        ("fleet", 0o700),
        ("bin", 0o700),
    ]


def test_a_folder_that_cannot_be_made_is_one_sentence(folder: Path) -> None:
    (folder / "file").touch()
    found = run("--directory", "file/fleet", "up")
    assert found.exit_code == 1 and isinstance(found.exception, SystemExit), found.exception
    assert "file" in found.output and "\n" not in found.output.strip()


def test_nothing_is_built_where_nvidias_programs_cannot_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = "this machine allows no unprivileged mount namespace: unshare: Operation not permitted"
    monkeypatch.setattr(namespace, "why_unavailable", lambda: reason)
    monkeypatch.setattr(toolchain, "ensure", lambda *_, **__: pytest.fail("tools were installed"))
    found = run("up", "--genuine")
    assert (found.exit_code, found.output) == (1, f"Error: NVIDIA's programs cannot run here: {reason}\n")
    assert not (folder / ".mig-fleet" / "fleet" / "status.json").exists()


def test_a_slice_of_a_fleet_that_does_not_run_is_refused_with_the_command_that_starts_one() -> None:
    found = run("destroy-slice", "n1", "--start", "0")
    assert found.exit_code == 1
    assert "its nodes: none, no fleet runs there; `mig-fleet simulate up` starts one" in found.output
