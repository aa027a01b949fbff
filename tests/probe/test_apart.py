"""A reading in a process of its own: what the driver may do to it without harm to the probe."""

import faulthandler
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mig_fleet.model.report import Report
from mig_fleet.probe import apart
from mig_fleet.probe.apart import Apart

ROOT = Path(__file__).parents[2]

STUCK_IN_THE_KERNEL = """
import os, signal, sys, time
from multiprocessing.context import ForkProcess
from pathlib import Path
from mig_fleet.probe import __main__ as command, apart

PID = sys.argv.pop()

def hang(node):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(PID).write_text(str(os.getpid()))
    time.sleep(300)

# No process can ignore SIGKILL, but one in the kernel does not hear of it either: here nobody sends it.
ForkProcess.kill = lambda child: None
apart.LEAVE_S = 0.1
apart.Apart.__init__.__defaults__ = (2.0,)
apart.nvml.read = hang
sys.exit(command.main())
"""


def a_report(node: str) -> Report:
    return Report(node, "580.126.09", config=None, state=None, gpus=())


def reading(monkeypatch: pytest.MonkeyPatch, read: object) -> None:
    monkeypatch.setattr(apart.nvml, "read", read)


def test_a_report_comes_back_as_it_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    reading(monkeypatch, a_report)
    assert Apart().read("n1") == a_report("n1")


def test_nvml_is_never_opened_in_the_probes_own_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def read(node: str) -> Report:
        (tmp_path / "pid").write_text(str(os.getpid()))
        return a_report(node)

    reading(monkeypatch, read)
    Apart().read("n1")
    assert int((tmp_path / "pid").read_text()) != os.getpid()


def test_a_driver_that_crashes_the_reading_is_told_by_its_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(_: str) -> None:
        faulthandler.disable()  # of the tests: its picture of a crash is not wanted here
        os.kill(os.getpid(), 11)

    reading(monkeypatch, crash)
    assert Apart().read("n1").errors == ("reading NVML ended with signal 11 (Segmentation fault)",)


def test_a_driver_that_ends_the_process_is_told_by_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    reading(monkeypatch, lambda _: os._exit(7))
    assert Apart().read("n1").errors == ("reading NVML ended with exit status 7",)


def test_a_mistake_of_ours_is_in_the_report_too(monkeypatch: pytest.MonkeyPatch) -> None:
    reading(monkeypatch, lambda _: b"\xff".decode())
    (error,) = Apart().read("n1").errors
    assert error.startswith("reading NVML failed: UnicodeDecodeError: ")


def test_a_driver_that_hangs_ends_in_the_report_and_its_process_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    reading(monkeypatch, lambda _: time.sleep(600))
    reader = Apart(timeout_s=0.1)
    for _ in range(2):
        assert reader.read("n1").errors == ("reading NVML took longer than 0.1 s; the driver hangs",)


def test_no_second_reading_starts_while_one_cannot_even_be_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Apart()

    class Hanging:
        def is_alive(self) -> bool:
            return True

    monkeypatch.setattr(reader, "_stuck", Hanging())
    reading(monkeypatch, a_report)
    (error,) = reader.read("n1").errors
    assert error == "an earlier reading of NVML still hangs in the driver; the node needs a reboot"


@pytest.fixture
def stuck(tmp_path: Path) -> Iterator[Path]:
    """Where a reading that hangs writes its process id; it is ended after the test."""
    pid = tmp_path / "pid"
    yield pid
    os.kill(int(pid.read_text()), signal.SIGKILL)


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["read"], 1, "reading NVML took longer than 2 s; the driver hangs"),
        (["assert", "-", "dense"], 3, "mig-probe: reading NVML took longer than 2 s; the driver hangs"),
    ],
    ids=["read", "assert"],
)
def test_a_reading_that_cannot_be_ended_is_told_and_not_waited_for(
    stuck: Path, arguments: list[str], status: int, told: str
) -> None:
    layouts = '{"version": "v1", "mig-configs": {"dense": [{"devices": "all", "mig-enabled": false}]}}'
    done = subprocess.run(
        [sys.executable, "-c", STUCK_IN_THE_KERNEL, *arguments, "--node", "n1", str(stuck)],
        cwd=ROOT,
        input=layouts,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert told in done.stdout + done.stderr
    os.kill(int(stuck.read_text()), 0)  # it is still there, and whoever reads our output waits for its end no more


def test_a_node_without_room_for_another_process_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", no_fork)
    (error,) = Apart().read("n1").errors
    assert error.startswith("no process could be started to read NVML: ")
