"""Two processes at once, and processes that are interrupted: one build, no incomplete files."""

import signal
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from mig_fleet import toolchain
from mig_fleet.toolchain import Step
from tests.toolchain.conftest import Computer, processes, until

COMMAND = [sys.executable, "-m", "mig_fleet.cli", "toolchain", "etcd"]
ROOT = Path(__file__).parents[2]


def start(computer: Computer) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        COMMAND, cwd=ROOT, env=computer.variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_two_processes_build_once_and_the_second_names_the_process_it_waits_for(computer: Computer) -> None:
    computer.has_go()
    computer.held.touch()
    first = start(computer)
    until(lambda: computer.builds, "the first process builds")
    second = start(computer)
    assert second.stderr is not None
    waits = second.stderr.readline()
    computer.held.unlink()
    output, errors = second.communicate(timeout=200)
    first.communicate(timeout=200)
    assert (first.returncode, second.returncode) == (0, 0), errors
    assert len(computer.builds) == 1
    assert f"waiting for process {first.pid}, which installs etcd 3.7.3" in waits
    assert "cache (built here)" in output


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_process_that_is_stopped_leaves_no_incomplete_tool_and_no_running_go(
    computer: Computer, etcd: toolchain.Family, how: signal.Signals
) -> None:
    computer.has_go(slow=30)
    builder = start(computer)
    until(lambda: [file for folder in computer.unfinished() for file in folder.iterdir()], "etcd is half built")
    builder.send_signal(how)
    _, errors = builder.communicate(timeout=30)
    assert builder.returncode != 0
    assert "Traceback" not in errors
    until(lambda: str(computer.root) not in processes(), "Go ends with its parent")
    assert toolchain.locate([etcd], environment=computer.environment).missing

    computer.has_go()
    toolchain.ensure([etcd], environment=computer.environment)
    assert computer.unfinished() == [], "the next run deletes them"


def test_an_interrupt_cleans_up_before_it_ends(computer: Computer) -> None:
    computer.has_go(slow=30)
    builder = start(computer)
    until(lambda: computer.builds, "the build runs")
    builder.send_signal(signal.SIGINT)
    _, errors = builder.communicate(timeout=30)
    assert builder.returncode == 130
    assert "the cache has no incomplete files" in errors
    assert computer.unfinished() == []


def test_a_step_has_the_tools_that_follow(computer: Computer) -> None:
    computer.has_go()
    steps: list[Step] = []

    def record(step: Step) -> AbstractContextManager[object]:
        steps.append(step)
        return toolchain.no_progress(step)

    toolchain.ensure(progress=record, environment=computer.environment)
    assert [step.what for step in steps][:2] == ["Pulumi engine 3.259.0", "Kubernetes control plane 1.37.2"]
    assert steps[0].next == ("Kubernetes control plane 1.37.2", "etcd 3.7.3", "Pulumi's Kubernetes provider 4.25.0")
    assert {step.doing for step in steps} == {"building"}
    assert steps[-1].next == ()


def test_while_a_tool_is_compiled_the_sources_of_the_next_ones_are_downloaded(computer: Computer) -> None:
    computer.has_go()
    computer.held.touch()
    with toolchain.in_background(toolchain.default(), computer.environment):
        until(lambda: computer.sources == {"engine", "kube", "provider"}, "all sources are there")
        assert len(computer.builds) <= 1, "the first tool is still compiled"
