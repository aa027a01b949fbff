"""The functions that NVIDIA's programs call: go-nvml binds each at its first call, where a missing one ends it."""

import ctypes
import re
from pathlib import Path
from typing import Final

import pytest

from mig_fleet.simulator.driver import DriverFile
from mig_fleet.simulator.driver.library import SONAME
from mig_fleet.simulator.genuine import Machine, dra_plugin
from mig_fleet.simulator.polling import wait_until
from tests.conformance.dra_process import running
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

DRA_DRIVER: Final = frozenset(
    {
        "nvmlComputeInstanceGetInfo_v2",
        "nvmlDeviceGetArchitecture",
        "nvmlDeviceGetAttributes_v2",
        "nvmlDeviceGetBrand",
        "nvmlDeviceGetComputeInstanceId",
        "nvmlDeviceGetCount_v2",
        "nvmlDeviceGetCudaComputeCapability",
        "nvmlDeviceGetGpuInstanceById",
        "nvmlDeviceGetGpuInstanceId",
        "nvmlDeviceGetGpuInstancePossiblePlacements_v2",
        "nvmlDeviceGetGpuInstanceProfileInfo",
        "nvmlDeviceGetHandleByIndex_v2",
        "nvmlDeviceGetHandleByPciBusId_v2",
        "nvmlDeviceGetHandleByUUID",
        "nvmlDeviceGetIndex",
        "nvmlDeviceGetMaxMigDeviceCount",
        "nvmlDeviceGetMemoryInfo",
        "nvmlDeviceGetMigDeviceHandleByIndex",
        "nvmlDeviceGetMigMode",
        "nvmlDeviceGetMinorNumber",
        "nvmlDeviceGetName",
        "nvmlDeviceGetPciInfo_v3",
        "nvmlDeviceGetUUID",
        "nvmlDeviceIsMigDeviceHandle",
        "nvmlGpuInstanceGetComputeInstanceById",
        "nvmlGpuInstanceGetComputeInstanceProfileInfo",
        "nvmlGpuInstanceGetInfo",
        "nvmlInitWithFlags",
        "nvmlInit_v2",
        "nvmlShutdown",
        "nvmlSystemGetCudaDriverVersion",
        "nvmlSystemGetDriverVersion",
    }
)
"""The DRA driver v0.4.1: what it binds until it has read its node. Of `_v2` and `_v3` it looks up some only."""

LATER: Final = {
    "mig-parted restore": ("nvmlDeviceCreateGpuInstanceWithPlacement",),
    "DRA driver v0.4.1 with DynamicMIG": (
        "nvmlDeviceCreateGpuInstanceWithPlacement",
        "nvmlDeviceGetVirtualizationMode",
    ),
}
"""What other programs called beside these in trials, and ended without."""

BOUND: Final = re.compile(
    rf"binding file \S*nvidia-mig-parted \[0\] to \S*{re.escape(SONAME)} \[0\]: normal symbol `(nvml\w+)'"
)


@pytest.mark.parametrize("name", sorted(MIG_PARTED.union(DRA_DRIVER, *LATER.values())))
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


UNREACHABLE: Final = """
apiVersion: v1
kind: Config
current-context: none
contexts: [{name: none, context: {cluster: none, user: none}}]
users: [{name: none, user: {}}]
clusters: [{name: none, cluster: {server: "http://127.0.0.1:1"}}]
"""


@pytest.mark.conformance
def test_the_dra_driver_calls_the_functions_of_the_list_and_no_other_one(
    namespaces: None, a_driver: ADriver, nvml_folder: Path, programs: Path, tmp_path: Path
) -> None:
    driver = a_driver("1g.20gb", gpus=2)
    driver.gpus[1].set_mode(False)
    file, kubeconfig = DriverFile(tmp_path / "driver"), tmp_path / "kubeconfig"
    file.write(driver)
    kubeconfig.write_text(UNREACHABLE)
    debug = {"LD_DEBUG": "bindings", "LD_DEBUG_OUTPUT": str(tmp_path / "bindings")}
    with running(programs / dra_plugin.PROGRAM, "n1", file, nvml_folder, kubeconfig, debug) as process:
        wait_until(lambda: "Create empty checkpoint" in process.log.read_text(), "the devices of the node are read")
    text = "".join(path.read_text() for path in tmp_path.glob("bindings*"))
    assert set(re.findall(r"normal symbol `(nvml\w+)'", text)) == DRA_DRIVER
