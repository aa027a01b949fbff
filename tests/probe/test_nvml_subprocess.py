"""A reading in a process of its own: nothing that the driver does to it harms the probe."""

import faulthandler
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from mig_fleet.model.allocation import NOT_ASKED, Allocation
from mig_fleet.model.report import ComputeInstance, Gpu, Instance, Report
from mig_fleet.probe import nvml
from mig_fleet.probe.device_ids import DeviceIds
from mig_fleet.probe.nvml_subprocess import NvmlSubprocess
from mig_fleet.probe.pod_resources import Kubelet

ROOT = Path(__file__).parents[2]

STUCK_IN_THE_KERNEL = """
import os, signal, sys, time
from multiprocessing.context import ForkProcess
from pathlib import Path
from mig_fleet.cli import mig_probe
from mig_fleet.probe import nvml, nvml_subprocess

PID = sys.argv.pop()

def hang(node):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(PID).write_text(str(os.getpid()))
    time.sleep(300)

# No process can ignore SIGKILL, but a process inside the kernel does not receive it: here it is not sent.
ForkProcess.kill = lambda child: None
nvml_subprocess.KILL_TIMEOUT_S = 0.1
nvml_subprocess.NvmlSubprocess.__init__.__defaults__ = (2.0,)
nvml.read = hang
mig_probe.main()
"""

Read = Callable[[str], object]
SetRead = Callable[[Read], None]


@pytest.fixture
def set_read(monkeypatch: pytest.MonkeyPatch) -> SetRead:
    """Puts a function in the place of the reading of NVML."""
    return lambda read: monkeypatch.setattr(nvml, "read", read)


def a_report(node: str) -> Report:
    return Report(node, "580.126.09", config=None, state=None, gpus=())


def test_a_report_is_returned_as_it_was_read(set_read: SetRead) -> None:
    set_read(a_report)
    assert NvmlSubprocess().read("n1") == replace(a_report("n1"), allocations_error=NOT_ASKED)


class Answering:
    """A kubelet with one allocation, or with an error."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    def allocations(self, devices: DeviceIds) -> tuple[tuple[Allocation, ...], str]:
        if self._error is not None:
            raise self._error
        return (Allocation("default", "p", "nvidia.com/gpu", *(devices.find("GPU-0") or (None,) * 3)),), ""


def read_with(kubelet: object, monkeypatch: pytest.MonkeyPatch, *errors: str) -> Report:
    reading = replace(a_report("n1"), errors=errors), DeviceIds({"GPU-0": (0, None, None)})
    monkeypatch.setattr(nvml, "read_with_devices", lambda _: reading)
    return NvmlSubprocess(kubelet=cast("Kubelet", kubelet)).read("n1")


def test_the_kubelets_allocations_are_in_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    report = read_with(Answering(), monkeypatch)
    assert report.allocations == (Allocation("default", "p", "nvidia.com/gpu", 0, None, None),)
    assert report.allocations_error == ""


def read_with_uuids(reading: tuple[Report, DeviceIds], monkeypatch: pytest.MonkeyPatch) -> Report:
    monkeypatch.setattr(nvml, "read_with_devices", lambda _: reading)
    return NvmlSubprocess(mig_uuids=True).read("n1")


def test_uuids_of_slices_need_no_kubelet(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = Instance(7, "1g.10gb", 0, 1, (ComputeInstance(0, "1g.10gb", 1),))
    gpu = Gpu(0, "GPU-0", "0x233010DE", "NVIDIA H100", 81559, True, True, (instance,))
    found = replace(a_report("n1"), gpus=(gpu,)), DeviceIds({"GPU-0": (0, None, None), "MIG-a": (0, 7, 0)})
    report = read_with_uuids(found, monkeypatch)
    assert report.gpus[0].instances[0].compute_instances[0].mig_uuid == "MIG-a"
    assert (report.allocations, report.allocations_error) == (None, NOT_ASKED)


def test_slices_that_nvml_does_not_list_are_an_error_where_their_uuids_are_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report = read_with_uuids((a_report("n1"), DeviceIds({}, "no permission")), monkeypatch)
    assert report.errors == ("NVML did not list the MIG devices: no permission",)


def test_a_bug_in_reading_the_kubelets_answer_does_not_hide_what_nvml_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    report = read_with(Answering(KeyError("x")), monkeypatch)
    assert (report.driver_version, report.errors) == ("580.126.09", ())
    assert (report.allocations, report.allocations_error) == (None, "asking the kubelet failed: KeyError: 'x'")


def test_a_device_is_not_called_unknown_because_nvml_could_not_read_its_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    report = read_with(Answering(), monkeypatch, "GPU 0: nvmlDeviceGetHandleByIndex: GPU is lost")
    assert (report.allocations, report.allocations_error) == (None, "NVML was not read completely")


def test_nvml_is_never_opened_in_the_probes_own_process(set_read: SetRead, tmp_path: Path) -> None:
    def read(node: str) -> Report:
        (tmp_path / "pid").write_text(str(os.getpid()))
        return a_report(node)

    set_read(read)
    NvmlSubprocess().read("n1")
    assert int((tmp_path / "pid").read_text()) != os.getpid()


def test_a_driver_that_crashes_the_reading_is_reported_with_its_signal(set_read: SetRead) -> None:
    def crash(_: str) -> None:
        faulthandler.disable()  # the one of the tests: its traceback is not wanted here
        os.kill(os.getpid(), signal.SIGSEGV)

    set_read(crash)
    assert NvmlSubprocess().read("n1").errors == ("reading NVML ended with signal 11 (Segmentation fault)",)


def test_a_driver_that_ends_the_process_is_reported_with_its_status(set_read: SetRead) -> None:
    set_read(lambda _: os._exit(7))
    assert NvmlSubprocess().read("n1").errors == ("reading NVML ended with exit status 7",)


def test_a_bug_of_ours_is_in_the_report_too(set_read: SetRead) -> None:
    set_read(lambda _: b"\xff".decode())
    (error,) = NvmlSubprocess().read("n1").errors
    assert error.startswith("reading NVML failed: UnicodeDecodeError: ")


def test_a_text_of_the_driver_is_in_the_report_as_a_reader_accepts_it(set_read: SetRead) -> None:
    gpu = Gpu(0, "GPU-0", "0x233010DE", "\x1b[2KH100", None, None, None, ())
    set_read(lambda node: Report(node, "580\n", None, None, (gpu,), errors=("\u202eodd", "x" * 5000)))
    report = NvmlSubprocess().read("n1")
    assert (report.driver_version, report.gpus[0].product) == (r"580\n", r"\x1b[2KH100")
    assert report.errors[0] == r"\u202eodd"
    assert Report.from_json(report.to_json()) == report


def test_a_driver_that_hangs_is_in_the_report_and_its_process_is_killed(set_read: SetRead) -> None:
    set_read(lambda _: time.sleep(600))
    subprocess_ = NvmlSubprocess(timeout_s=0.1)
    for _ in range(2):
        assert subprocess_.read("n1").errors == ("reading NVML took longer than 0.1 s; the driver hangs",)


def test_no_second_reading_starts_while_the_first_cannot_be_killed(
    set_read: SetRead, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hanging:
        def is_alive(self) -> bool:
            return True

    subprocess_ = NvmlSubprocess()
    monkeypatch.setattr(subprocess_, "_stuck", Hanging())
    set_read(a_report)
    (error,) = subprocess_.read("n1").errors
    assert error == "an earlier reading of NVML still hangs in the driver; reboot the node"


@pytest.fixture
def pid_file(tmp_path: Path) -> Iterator[Path]:
    """Where a reading that hangs writes its process id; it is killed after the test."""
    file = tmp_path / "pid"
    yield file
    os.kill(int(file.read_text()), signal.SIGKILL)


@pytest.mark.parametrize(
    ("arguments", "status", "output"),
    [
        (["read"], 1, "reading NVML took longer than 2 s; the driver hangs"),
        (["assert", "-", "dense"], 3, "mig-probe: reading NVML took longer than 2 s; the driver hangs"),
    ],
    ids=["read", "assert"],
)
def test_a_command_does_not_wait_for_a_reading_that_cannot_be_killed(
    pid_file: Path, arguments: list[str], status: int, output: str
) -> None:
    layouts = '{"version": "v1", "mig-configs": {"dense": [{"devices": "all", "mig-enabled": false}]}}'
    done = subprocess.run(
        [sys.executable, "-c", STUCK_IN_THE_KERNEL, *arguments, "--node", "n1", str(pid_file)],
        cwd=ROOT,
        input=layouts,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert output in done.stdout + done.stderr
    os.kill(int(pid_file.read_text()), 0)  # it still runs, and it does not keep the output open


def test_a_node_without_room_for_another_process_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", no_fork)
    (error,) = NvmlSubprocess().read("n1").errors
    assert error.startswith("no process could be started to read NVML: ")
