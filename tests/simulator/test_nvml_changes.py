"""The functions of the library that change a GPU: the simulated driver decides, and the caller sees it at once."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mig_fleet.simulator.driver import Client, Driver, DriverFile
from mig_fleet.simulator.driver.control_socket import CONTROL_VARIABLE, control_socket
from mig_fleet.simulator.driver.library import reading
from tests.conftest import ADriver
from tests.simulator.conftest import Pynvml

Changing = Callable[[Driver, str], tuple[str, Driver]]

PROLOGUE = """
from pynvml import *
nvmlInit()
h = nvmlDeviceGetHandleByIndex(0)
def attempt(call, *arguments):
    try:
        return call(*arguments)
    except NVMLError as exc:
        print(exc)
"""


@pytest.fixture
def changing(nvml_folder: Path, tmp_path: Path) -> Changing:
    """Run Python code with nvidia-ml-py, which may change the driver; returns its output and the state that is left."""

    def run(driver: Driver, code: str) -> tuple[str, Driver]:
        file = DriverFile(tmp_path / "driver")
        file.write(driver)
        with control_socket(file) as control:
            environment = {**os.environ, **reading(nvml_folder, file), CONTROL_VARIABLE: str(control)}
            result = subprocess.run(
                [sys.executable, "-I", "-c", PROLOGUE + code],
                env=environment,
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
        assert result.returncode == 0, result.stderr
        return result.stdout.strip(), file.read()

    return run


def test_a_process_without_the_drivers_socket_may_change_nothing(a_driver: ADriver, pynvml: Pynvml) -> None:
    output = pynvml(
        a_driver(),
        """
nvmlInit()
try:
    nvmlDeviceCreateGpuInstance(nvmlDeviceGetHandleByIndex(0), 19)
except NVMLError_NoPermission as exc:
    print(exc)
""",
    )
    assert output == "Insufficient Permissions"


def test_instances_are_created_and_seen_by_the_process_that_creates_them(a_driver: ADriver, changing: Changing) -> None:
    output, driver = changing(
        a_driver(gpus=2),
        """
first = nvmlDeviceCreateGpuInstance(h, 9)
second = nvmlDeviceCreateGpuInstanceWithPlacement(h, 19, byref(c_nvmlGpuInstancePlacement_t(2, 1)))
nvmlGpuInstanceCreateComputeInstance(first, 2)
print([nvmlGpuInstanceGetInfo(it).placement.start for it in (first, second)])
print(nvmlDeviceGetName(nvmlDeviceGetMigDeviceHandleByIndex(h, 4)))
""",
    )
    assert output.splitlines() == ["[4, 2]", "NVIDIA H100 80GB HBM3 MIG 3g.40gb"]
    assert dict(driver.gpus[0].counts()) == {"3g.40gb": 1}
    assert [(it.profile, it.start) for it in driver.gpus[0].instances] == [("3g.40gb", 4), ("1g.10gb", 2)]
    assert not driver.gpus[1].instances


def test_handles_stay_valid_while_other_instances_are_destroyed(a_driver: ADriver, changing: Changing) -> None:
    output, driver = changing(
        a_driver(*["1g.10gb"] * 3),
        """
buffer, count = (c_nvmlGpuInstance_t * 7)(), c_uint(7)
nvmlDeviceGetGpuInstances(h, 19, buffer, byref(count))
for instance in buffer[:2]:
    nvmlComputeInstanceDestroy(nvmlGpuInstanceGetComputeInstanceById(instance, 0))
    nvmlGpuInstanceDestroy(instance)
print(nvmlGpuInstanceGetInfo(buffer[2]).placement.start)
attempt(nvmlGpuInstanceGetInfo, buffer[0])
""",
    )
    (left,) = driver.gpus[0].instances
    assert output.splitlines() == [str(left.start), "Invalid Argument"]


def test_errors_of_changes_are_those_of_nvml(a_driver: ADriver, changing: Changing) -> None:
    driver = a_driver("3g.40gb")
    driver.gpus[0].clients.append(Client("team-a/training", driver.gpus[0].instances[0].id))
    output, after = changing(
        driver,
        """
used = nvmlDeviceGetGpuInstanceById(h, 1)
attempt(nvmlGpuInstanceDestroy, used)
attempt(nvmlComputeInstanceDestroy, nvmlGpuInstanceGetComputeInstanceById(used, 0))
attempt(nvmlGpuInstanceCreateComputeInstance, used, 0)
attempt(nvmlGpuInstanceCreateComputeInstance, used, 4)
attempt(nvmlDeviceCreateGpuInstance, h, 0)
attempt(nvmlDeviceCreateGpuInstance, h, 99)
attempt(nvmlDeviceCreateGpuInstanceWithPlacement, h, 14, byref(c_nvmlGpuInstancePlacement_t(1, 2)))
attempt(nvmlDeviceSetMigMode, h, 0)
""",
    )
    assert output.splitlines() == [
        "In use by another client",
        "In use by another client",
        "Insufficient Resources",
        "Not Supported",
        "Insufficient Resources",
        "Invalid Argument",
        "Invalid Argument",
        "In use by another client",
    ]
    assert after == driver, "a refused change changes nothing"


def test_a_mode_that_stays_pending_on_ampere_is_a_success_with_another_activation_status(
    a_driver: ADriver, changing: Changing
) -> None:
    """nvml.h, nvmlDeviceSetMigMode; mig-parted reads only the pending mode (pkg/mig/mode/nvml.go)."""
    driver = a_driver(gpu="A100-80GB", mig=False)
    driver.gpus[0].clients.append(Client("default/notebook", None))
    output, after = changing(driver, "print(nvmlDeviceSetMigMode(h, 1), nvmlDeviceGetMigMode(h))")
    assert output == "19 [0, 1]"
    assert (after.gpus[0].mode, after.gpus[0].pending) == (False, True)


def test_a_gpu_is_found_by_its_address_in_the_form_of_the_kernel_and_of_nvml(a_driver: ADriver, pynvml: Pynvml) -> None:
    output = pynvml(
        a_driver(gpus=2),
        """
nvmlInit()
for address in (b"0000:2d:00.0", b"00000000:2D:00.0"):
    print(nvmlDeviceGetIndex(nvmlDeviceGetHandleByPciBusId(address)))
try:
    nvmlDeviceGetHandleByPciBusId(b"0000:ff:00.0")
except NVMLError_NotFound as exc:
    print(exc)
""",
    )
    assert output.splitlines() == ["1", "1", "Not Found"]


@pytest.mark.parametrize(("model", "architecture"), [("A30-24GB", 7), ("H200-141GB", 9), ("B200-180GB", 10)])
def test_a_gpu_reports_its_architecture_its_brand_and_that_it_is_no_virtual_one(
    a_driver: ADriver, pynvml: Pynvml, model: str, architecture: int
) -> None:
    output = pynvml(
        a_driver(gpu=model),
        """
nvmlInit()
h = nvmlDeviceGetHandleByIndex(0)
print(nvmlDeviceGetArchitecture(h), nvmlDeviceGetBrand(h), nvmlDeviceGetVirtualizationMode(h))
""",
    )
    assert output == f"{architecture} 14 0"
