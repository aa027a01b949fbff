"""Two processes that ask at once, and processes that are interrupted: one build, nothing half-written."""

import signal
import subprocess
import sys
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


def test_two_processes_build_once_and_the_second_says_for_whom_it_waits(computer: Computer):
    computer.has_go(slow=3)
    first = start(computer)
    until(lambda: computer.builds, "the first process builds")
    second = start(computer)
    told, complaint = second.communicate(timeout=60)
    first.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0), complaint
    assert len(computer.builds) == 1
    assert f"waiting for process {first.pid}, which is getting etcd 3.7.3" in complaint
    assert "cache (built here)" in told


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_process_that_is_stopped_leaves_no_half_made_tool_and_no_running_go(computer: Computer, etcd, how):
    computer.has_go(slow=30)
    builder = start(computer)
    until(lambda: [file for folder in computer.unfinished() for file in folder.iterdir()], "etcd is half built")
    builder.send_signal(how)
    _, complaint = builder.communicate(timeout=30)
    assert builder.returncode != 0
    assert "Traceback" not in complaint
    until(lambda: str(computer.root) not in processes(), "Go has ended with its master")
    assert toolchain.look([etcd], around=computer.around).missing

    computer.has_go()
    toolchain.ensure([etcd], around=computer.around)
    assert computer.unfinished() == [], "the next one sweeps up"


def test_an_interrupt_cleans_up_before_it_ends(computer: Computer):
    computer.has_go(slow=30)
    builder = start(computer)
    until(lambda: computer.builds, "the build runs")
    builder.send_signal(signal.SIGINT)
    _, complaint = builder.communicate(timeout=30)
    assert builder.returncode == 130
    assert "nothing half-made was left in the cache" in complaint
    assert computer.unfinished() == []


def test_a_step_says_what_comes_next(computer: Computer):
    computer.has_go()
    steps: list[Step] = []

    def remember(step: Step):
        steps.append(step)
        return toolchain.silent(step)

    toolchain.ensure(progress=remember, around=computer.around)
    assert [step.what for step in steps][:2] == ["Pulumi engine 3.259.0", "Kubernetes control plane 1.37.2"]
    assert steps[0].next == ("Kubernetes control plane 1.37.2", "etcd 3.7.3", "Pulumi's Kubernetes provider 4.25.0")
    assert {step.doing for step in steps} == {"building"}
    assert steps[-1].next == ()
