"""The library under NVIDIA's own Python bindings, each case in its own process."""

import json
from pathlib import Path

import pytest

from mig_fleet.simulator.driver import Client
from mig_fleet.simulator.driver.library import library
from mig_fleet.simulator.errors import NoCompiler
from tests.conftest import ADriver
from tests.simulator.conftest import Pynvml


def test_the_system_and_a_whole_gpu_are_described_as_by_a_real_driver(a_driver: ADriver, pynvml: Pynvml) -> None:
    output = pynvml(
        a_driver(gpus=2, mig=False),
        """
nvmlInit()
h = nvmlDeviceGetHandleByIndex(1)
pci = nvmlDeviceGetPciInfo(h)
print(nvmlSystemGetDriverVersion(), nvmlSystemGetCudaDriverVersion(), nvmlDeviceGetCount(), nvmlDeviceGetIndex(h))
print(nvmlDeviceGetName(h), f"0x{pci.pciDeviceId:08X}", pci.busId, nvmlDeviceGetMinorNumber(h))
print(nvmlDeviceGetMemoryInfo(h).total >> 20, nvmlDeviceGetMemoryInfo(h, nvmlMemory_v2).free >> 20)
print(nvmlDeviceGetCudaComputeCapability(h), nvmlDeviceGetMigMode(h), nvmlDeviceGetMaxMigDeviceCount(h))
same = nvmlDeviceGetHandleByUUID(nvmlDeviceGetUUID(h))
print(nvmlDeviceGetIndex(same), nvmlSystemGetNVMLVersion())
""",
    )
    assert output.splitlines() == [
        "580.126.09 13000 2 1",
        "NVIDIA H100 80GB HBM3 0x233010DE 00000000:2D:00.0 1",
        "81559 81559",
        "(9, 0) [0, 0] 7",
        "1 13.580.126.09",
    ]


def test_every_instance_is_listed_with_placement_and_compute_instance(a_driver: ADriver, pynvml: Pynvml) -> None:
    output = pynvml(
        a_driver("3g.40gb", "2g.20gb", "1g.10gb"),
        """
nvmlInit()
h = nvmlDeviceGetHandleByIndex(0)
for enum in range(NVML_GPU_INSTANCE_PROFILE_COUNT):
    try:
        profile = nvmlDeviceGetGpuInstanceProfileInfoV(h, enum)
    except NVMLError_NotSupported:
        continue
    buffer, count = (c_nvmlGpuInstance_t * profile.instanceCount)(), c_uint(profile.instanceCount)
    nvmlDeviceGetGpuInstances(h, profile.id, buffer, byref(count))
    for i in range(count.value):
        info = nvmlGpuInstanceGetInfo(buffer[i])
        compute = nvmlGpuInstanceGetComputeInstanceById(buffer[i], 0)
        detail = nvmlComputeInstanceGetInfo(compute)
        print(profile.name, info.profileId, info.placement.start, info.placement.size, detail.placement.size)
""",
    )
    assert output.splitlines() == ["MIG 1g.10gb 19 1 1 1", "MIG 2g.20gb 14 2 2 2", "MIG 3g.40gb 9 4 4 3"]


def test_mig_devices_have_gaps_in_their_indices_and_return_their_gpu(a_driver: ADriver, pynvml: Pynvml) -> None:
    output = pynvml(
        a_driver("3g.40gb", "2g.20gb", "1g.10gb"),
        """
nvmlInit()
h = nvmlDeviceGetHandleByIndex(0)
for i in range(nvmlDeviceGetMaxMigDeviceCount(h)):
    try:
        m = nvmlDeviceGetMigDeviceHandleByIndex(h, i)
    except NVMLError_NotFound:
        print(i, "-")
        continue
    a = nvmlDeviceGetAttributes(m)
    parent = nvmlDeviceGetDeviceHandleFromMigDeviceHandle(m)
    assert nvmlDeviceIsMigDeviceHandle(m).value and not nvmlDeviceIsMigDeviceHandle(parent).value
    assert nvmlDeviceGetUUID(m).startswith("MIG-") and nvmlDeviceGetUUID(parent) == nvmlDeviceGetUUID(h)
    assert nvmlDeviceGetIndex(nvmlDeviceGetHandleByUUID(nvmlDeviceGetUUID(m))) == i
    print(i, nvmlDeviceGetName(m), nvmlDeviceGetGpuInstanceId(m), nvmlDeviceGetComputeInstanceId(m),
          a.multiprocessorCount, a.gpuInstanceSliceCount, a.memorySizeMB)
""",
    )
    assert output.splitlines() == [
        "0 -",
        "1 NVIDIA H100 80GB HBM3 MIG 1g.10gb 7 0 16 1 9984",
        "2 NVIDIA H100 80GB HBM3 MIG 2g.20gb 3 0 32 2 20096",
        "3 -",
        "4 NVIDIA H100 80GB HBM3 MIG 3g.40gb 1 0 60 3 40448",
        "5 -",
        "6 -",
    ]


def test_profiles_are_listed_with_placements_and_remaining_capacity(a_driver: ADriver, pynvml: Pynvml) -> None:
    output = pynvml(
        a_driver("3g.40gb"),
        """
nvmlInit()
h = nvmlDeviceGetHandleByIndex(0)
for enum in (NVML_GPU_INSTANCE_PROFILE_1_SLICE, NVML_GPU_INSTANCE_PROFILE_2_SLICE, NVML_GPU_INSTANCE_PROFILE_3_SLICE):
    p = nvmlDeviceGetGpuInstanceProfileInfo(h, enum, version=1)
    n = c_uint(p.instanceCount + 8)
    places = (c_nvmlGpuInstancePlacement_t * n.value)()
    nvmlDeviceGetGpuInstancePossiblePlacements(h, p.id, places, byref(n))
    starts = [places[i].start for i in range(n.value)]
    print(p.id, p.instanceCount, starts, places[0].size, nvmlDeviceGetGpuInstanceRemainingCapacity(h, p.id))
""",
    )
    assert output.splitlines() == [
        "19 7 [0, 1, 2, 3, 4, 5, 6] 1 4",
        "14 3 [0, 2, 4] 2 2",
        "9 2 [0, 4] 4 1",
    ]


@pytest.mark.parametrize(
    ("call", "error", "reason"),
    [
        ("nvmlDeviceGetCount()", "Uninitialized", "nvmlInit was not called"),
        ("nvmlInit(); nvmlDeviceGetHandleByIndex(9)", "InvalidArgument", "there is one GPU"),
        ("nvmlInit(); nvmlDeviceGetGpuInstanceProfileInfoV(H(), 5)", "NotSupported", "no GPU has eight slices"),
        ("nvmlInit(); nvmlDeviceGetGpuInstanceProfileInfoV(H(), 99)", "InvalidArgument", "no such enum"),
        ("nvmlInit(); nvmlDeviceGetMigDeviceHandleByIndex(H(), 0)", "NotFound", "the GPU has no instance"),
        ("nvmlInit(); nvmlDeviceGetAttributes(H())", "NotSupported", "a whole GPU has no attributes"),
        ("nvmlInit(); nvmlDeviceGetGpuInstanceById(H(), 0)", "NotFound", "no instance"),
        ("nvmlInit(); nvmlDeviceGetMemoryInfo(H(), 7)", "ArgumentVersionMismatch", "the version word is wrong"),
        ("nvmlInit(); nvmlShutdown(); nvmlDeviceGetCount()", "Uninitialized", "after nvmlShutdown"),
        ("nvmlInit(); nvmlDeviceGetFanSpeed(H())", "FunctionNotFound", "the library lacks the function"),
    ],
    ids=lambda value: value if " " in str(value) and "(" not in str(value) else "",
)
def test_errors_are_those_of_nvml(a_driver: ADriver, pynvml: Pynvml, call: str, error: str, reason: str) -> None:
    output = pynvml(
        a_driver(),
        f"""
H = lambda: nvmlDeviceGetHandleByIndex(0)
try:
    {call}
except NVMLError as exc:
    print(type(exc).__name__)
""",
    )
    assert output == f"NVMLError_{error}", reason


def test_an_injected_error_is_returned(a_driver: ADriver, pynvml: Pynvml) -> None:
    driver = a_driver()
    driver.errors["nvmlDeviceGetMigMode"] = 15
    output = pynvml(
        driver,
        """
nvmlInit()
try:
    nvmlDeviceGetMigMode(nvmlDeviceGetHandleByIndex(0))
except NVMLError_GpuIsLost as exc:
    print(exc)
""",
    )
    assert output == "GPU is lost"


def test_without_a_driver_state_the_driver_is_not_loaded(a_driver: ADriver, pynvml: Pynvml) -> None:
    output = pynvml(
        a_driver(),
        """
import os
os.remove(os.environ["MIG_SIMULATOR_DRIVER"])
try:
    nvmlInit()
except NVMLError_DriverNotLoaded as exc:
    print(exc)
""",
    )
    assert output == "Driver Not Loaded"


def test_a_change_is_visible_after_the_next_initialization(a_driver: ADriver, pynvml: Pynvml) -> None:
    later = json.dumps(a_driver(gpus=3).dump())
    output = pynvml(
        a_driver(),
        f"""
import os
nvmlInit()
open(os.environ["MIG_SIMULATOR_DRIVER"], "w").write({later})
before = nvmlDeviceGetCount()
nvmlShutdown()
nvmlInit()
print(before, nvmlDeviceGetCount())
""",
    )
    assert output == "1 3"


def test_two_compute_instances_are_two_devices_of_one_gpu_instance(a_driver: ADriver, pynvml: Pynvml) -> None:
    driver = a_driver()
    created = driver.gpus[0].create("3g.40gb", 1)
    driver.gpus[0].split(created.id, 2)
    output = pynvml(
        driver,
        """
nvmlInit()
h = nvmlDeviceGetHandleByIndex(0)
for i in (4, 5):
    m = nvmlDeviceGetMigDeviceHandleByIndex(h, i)
    slices = nvmlDeviceGetAttributes(m).computeInstanceSliceCount
    print(nvmlDeviceGetGpuInstanceId(m), nvmlDeviceGetComputeInstanceId(m), slices)
""",
    )
    assert output.splitlines() == ["1 0 1", "1 1 2"]


def test_a_double_memory_slice_may_have_either_of_two_compute_instances(a_driver: ADriver, pynvml: Pynvml) -> None:
    """MIG Manager takes profile 0, with the SMs of one compute slice; `nvidia-smi mig -C` takes profile 7."""
    output = pynvml(
        a_driver("1g.20gb"),
        """
nvmlInit()
h = nvmlDeviceGetHandleByIndex(0)
i = nvmlDeviceGetGpuInstanceById(h, 3)
for number in (0, 7):
    print(nvmlGpuInstanceGetComputeInstanceProfileInfo(i, number, 0).multiprocessorCount)
for device in range(nvmlDeviceGetMaxMigDeviceCount(h)):
    try:
        print(nvmlDeviceGetAttributes(nvmlDeviceGetMigDeviceHandleByIndex(h, device)).multiprocessorCount)
    except NVMLError_NotFound:
        continue
""",
    )
    assert output.splitlines() == ["16", "26", "16"]


def test_the_library_ignores_clients(a_driver: ADriver, pynvml: Pynvml) -> None:
    driver = a_driver("1g.10gb")
    driver.gpus[0].clients.append(Client("team-a/training", None))
    assert pynvml(driver, "nvmlInit(); print(nvmlDeviceGetCount())") == "1"


def test_without_a_compiler_the_error_names_the_package_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoCompiler, match="apt-get install gcc"):
        library(tmp_path)
