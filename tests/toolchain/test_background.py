"""Tools that are installed while something else runs: pip, tests, the start of a fleet."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mig_fleet import toolchain
from tests.toolchain.conftest import Computer, processes, until

ROOT = Path(__file__).parents[2]
BESIDE = [sys.executable, "-m", "mig_fleet.toolchain", "etcd", "--"]
"""What the Makefile writes before a command."""


def start(computer: Computer, *command: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*BESIDE, *command],
        cwd=ROOT,
        env=computer.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def until_it_is_gone(computer: Computer, name: str) -> str:
    """A shell command that runs while a file exists, and ends with status 3."""
    (computer.root / name).touch()
    return f"while [ -e {computer.root}/{name} ]; do sleep 0.1; done; exit 3"


def is_installed(computer: Computer, family: toolchain.Family) -> bool:
    return not toolchain.locate([family], environment=computer.environment).missing


def test_the_toolchain_needs_nothing_that_pip_installs() -> None:
    """Python runs without site-packages here."""
    names = "import sys, mig_fleet.toolchain.__main__; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-S", "-c", names], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert set(loaded) - sys.stdlib_module_names == {"mig_fleet", "__main__"} - sys.stdlib_module_names


def test_tools_are_built_while_a_command_runs(computer: Computer, etcd: toolchain.Family) -> None:
    computer.has_go()
    running = start(computer, "sh", "-c", until_it_is_gone(computer, "runs"))
    until(lambda: is_installed(computer, etcd), "etcd is built")
    (computer.root / "runs").unlink()
    output, _ = running.communicate(timeout=200)
    assert (running.returncode, output) == (3, ""), "the exit status is that of the command, and a build prints nothing"


def test_a_wrong_name_is_one_sentence_and_runs_no_command(computer: Computer) -> None:
    command = [sys.executable, "-m", "mig_fleet.toolchain", "etdc", "--", "touch", str(computer.root / "ran")]
    done = subprocess.run(command, cwd=ROOT, env=computer.variables, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and not (computer.root / "ran").exists()
    assert done.stderr.startswith("Error: unknown tool family 'etdc'; did you mean 'etcd'? families: engine, kube, ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("how", ["the command ends", "Ctrl-C", "killed"])
def test_a_build_ends_with_the_command(computer: Computer, etcd: toolchain.Family, how: str) -> None:
    computer.has_go()
    computer.held.touch()
    running = start(computer, "sh", "-c", until_it_is_gone(computer, "runs"))
    until(lambda: [file for folder in computer.unfinished() for file in folder.iterdir()], "etcd is half built")
    if how == "the command ends":
        (computer.root / "runs").unlink()
        assert running.wait(timeout=200) == 3
    elif how == "Ctrl-C":
        os.killpg(running.pid, signal.SIGINT)
        assert running.wait(timeout=200) == 130
    else:
        running.kill()
        (computer.root / "runs").unlink()
    running.communicate(timeout=200)
    until(lambda: str(computer.root) not in processes(), "Go ends")
    until(lambda: not computer.unfinished(), "nothing incomplete is left")
    assert not is_installed(computer, etcd)


def test_another_process_shows_how_far_the_build_in_the_background_is(
    computer: Computer, etcd: toolchain.Family
) -> None:
    computer.has_go()
    computer.held.touch()
    with toolchain.in_background([etcd], computer.environment):
        until(lambda: computer.builds, "the build runs")
        waiting = subprocess.Popen(
            [sys.executable, "-m", "mig_fleet.cli", "toolchain", "etcd"],
            cwd=ROOT,
            env=computer.variables,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        assert waiting.stderr is not None
        line = waiting.stderr.readline()
        computer.held.unlink()
        waiting.communicate(timeout=200)
    assert "waiting for process" in line and "which installs etcd 3.7.3: linking, " in line
    assert waiting.returncode == 0 and len(computer.builds) == 1


def test_nothing_is_started_when_no_tool_is_missing(
    computer: Computer, etcd: toolchain.Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    computer.has_go()
    toolchain.ensure([etcd], environment=computer.environment)

    started: list[object] = []
    monkeypatch.setattr("subprocess.Popen", lambda *arguments, **_: started.append(arguments))
    with toolchain.in_background([etcd], computer.environment):
        assert started == []
