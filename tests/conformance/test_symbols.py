"""The functions that NVIDIA's programs call: go-nvml binds each at its first call, where a missing one ends it."""

import ctypes
import re
from pathlib import Path
from typing import Final

import pytest

from mig_fleet.simulator.driver.library import SONAME
from mig_fleet.simulator.genuine import Machine
from tests.conftest import ADriver

MIG_PARTED: Final = frozenset(
    {
        "nvmlComputeInstanceDestroy",
        "nvmlDeviceCreateGpuInstance",
        "nvmlDeviceGetGpuInstanceProfileInfo",
        "nvmlDeviceGetGpuInstances",
        "nvmlDeviceGetHandleByIndex_v2",
        "nvmlDeviceGetHandleByPciBusId_v2",
        "nvmlDeviceGetMemoryInfo",
        "nvmlDeviceGetMigMode",
        "nvmlDeviceGetCount_v2",
        "nvmlDeviceGetName",
        "nvmlDeviceSetMigMode",
        "nvmlGpuInstanceCreateComputeInstance",
        "nvmlGpuInstanceDestroy",
        "nvmlGpuInstanceGetComputeInstanceProfileInfo",
        "nvmlGpuInstanceGetComputeInstances",
        "nvmlInit_v2",
        "nvmlShutdown",
        "nvmlSystemGetNVMLVersion",
    }
)
"""mig-parted v0.13.1: what the dynamic linker binds while it exports, asserts, clears, creates and switches."""

LATER: Final = {
    "mig-parted restore": ("nvmlDeviceCreateGpuInstanceWithPlacement",),
    "DRA driver v0.4.1": (
        "nvmlDeviceCreateGpuInstanceWithPlacement",
        "nvmlDeviceGetArchitecture",
        "nvmlDeviceGetBrand",
        "nvmlDeviceGetVirtualizationMode",
    ),
}
"""What other programs called beside these in trials, and ended without."""

BOUND: Final = re.compile(
    rf"binding file \S*nvidia-mig-parted \[0\] to \S*{re.escape(SONAME)} \[0\]: normal symbol `(nvml\w+)'"
)


@pytest.mark.parametrize("name", sorted(MIG_PARTED.union(*LATER.values())))
def test_the_library_has_every_function_that_these_programs_call(nvml_folder: Path, name: str) -> None:
    assert hasattr(ctypes.CDLL(str(nvml_folder / SONAME)), name), "a program that calls it ends with status 127"


@pytest.mark.conformance
def test_mig_parted_calls_the_functions_of_the_list_and_no_other_one(
    a_driver: ADriver, a_machine: Machine, mig_parted: str
) -> None:
    driver = a_driver("2g.20gb", gpus=2)
    driver.gpus[1].set_mode(False)
    a_machine.set(driver)
    file = a_machine.folder / "config.yaml"
    file.write_text('version: v1\nmig-configs: {c: [{devices: all, mig-enabled: true, mig-devices: {"3g.40gb": 3}}]}\n')
    called: set[str] = set()
    for command in (["export"], ["assert", "-f", str(file)], ["apply", "-f", str(file)], ["assert", "-f", str(file)]):
        done = a_machine.run([mig_parted, *command], {"LD_DEBUG": "bindings"})
        called |= set(BOUND.findall(done.stderr))
    looked_up_only = {name for name in called if name.endswith(("_v2", "_v3"))} - MIG_PARTED
    assert called - looked_up_only == MIG_PARTED
