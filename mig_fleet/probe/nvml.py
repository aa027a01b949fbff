"""One reading of NVML: initialize, read every GPU, shut down. Nothing is ever written to a GPU.

Call this in a process of its own: pynvml caches the library per process; an initialized NVML makes the process a client
of the driver, which can block MIG Manager ("In use by another client"); and a driver that hangs or crashes also blocks
or ends the process.

The oldest driver that has every call is R460: ``nvmlComputeInstanceGetInfo_v2`` came with CUDA 11.2.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import pynvml

from mig_fleet.model.gpus import by_board
from mig_fleet.model.nvml_names import driver_name, profile_name
from mig_fleet.model.report import ComputeInstance, Gpu, Instance, Report
from mig_fleet.probe import device_ids
from mig_fleet.probe.device_ids import DeviceIds
from mig_fleet.probe.nvml_calls import NvmlError, call, initialized

MAX_INSTANCES = 64
"""Handles in the buffer for a list of instances. NVML writes all it has and is not given the buffer's size; the
``instanceCount`` of a profile, which is meant for this, is too small on A30 (mig-parted
pkg/mig/discovery/discovery.go)."""

GPU_INSTANCE_PROFILES = 32
COMPUTE_INSTANCE_PROFILES = 16
"""Profile numbers that are tried. nvml.h defines 18 and 9 by now and adds more with new GPUs: a driver that is newer
than the bindings knows profiles for which these have no constant."""

INCAPABLE = (pynvml.NVML_ERROR_NOT_SUPPORTED,)
"""A GPU without MIG, or without memory of its own: an answer, not an error."""

NO_SUCH_PROFILE = (pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_INVALID_ARGUMENT)
"""A profile that the GPU does not have, and one that the driver does not know; mig-parted skips the same two."""


def read(node: str) -> Report:
    """What NVML reports, with one error for each GPU that it could not read; no error of NVML is raised.

    Config, state and attempt are None: NVML does not know them. Allocations are None, too: the kubelet knows them.
    """
    return _read(node, lambda _: DeviceIds({}))[0]


def read_with_devices(node: str) -> tuple[Report, DeviceIds]:
    """:func:`read`, and the IDs under which NVIDIA's device plugin offers what it found."""
    return _read(node, device_ids.read)


def _read(node: str, read_devices: Callable[[Sequence[Gpu]], DeviceIds]) -> tuple[Report, DeviceIds]:
    driver, gpus, errors, devices = "", list[Gpu](), list[str](), DeviceIds({})
    try:
        with initialized():
            driver = call(pynvml.nvmlSystemGetDriverVersion)
            for index in range(call(pynvml.nvmlDeviceGetCount)):
                try:
                    gpus.append(_gpu(index))
                except NvmlError as exc:
                    errors.append(f"GPU {index}: {exc}")
            devices = read_devices(gpus)
    except NvmlError as exc:
        errors.append(str(exc))
    return Report(node, driver, config=None, state=None, gpus=tuple(gpus), errors=tuple(errors)), devices


def _gpu(index: int) -> Gpu:
    handle = call(pynvml.nvmlDeviceGetHandleByIndex, index)
    mode = call(pynvml.nvmlDeviceGetMigMode, handle, absent=INCAPABLE)
    memory = call(pynvml.nvmlDeviceGetMemoryInfo, handle, absent=INCAPABLE)
    pci_id = f"0x{call(pynvml.nvmlDeviceGetPciInfo, handle).pciDeviceId:08X}"
    product = call(pynvml.nvmlDeviceGetName, handle)
    model = by_board(pci_id, product)
    is_on = mode is not None and bool(mode[0])
    profiles = [] if mode is None else _gpu_profiles(handle, is_on)
    return Gpu(
        index=index,
        uuid=call(pynvml.nvmlDeviceGetUUID, handle),
        pci_id=pci_id,
        product=product,
        memory_mib=None if memory is None else memory.total // 2**20,
        mig_mode_current=None if mode is None else bool(mode[0]),
        mig_mode_pending=None if mode is None else bool(mode[1]),
        instances=tuple(_gpu_instances(handle, pci_id, profiles)) if is_on else (),
        model=model.name if model else None,
        profile_names=_names(profiles),
    )


def _gpu_profiles(gpu: Any, mig_is_on: bool) -> list[Any]:
    """What NVML knows about each profile of GPU instances. With MIG off only the names are read, and a driver need not
    have them.
    """
    try:
        return _profiles(GPU_INSTANCE_PROFILES, pynvml.nvmlDeviceGetGpuInstanceProfileInfo, gpu)
    except NvmlError:
        if mig_is_on:
            raise
        return []


def _names(profiles: list[Any]) -> tuple[str, ...] | None:
    """NVML's names of all profiles; None if it names one of them not, or not as a profile is named."""
    names = tuple(driver_name(getattr(profile, "name", None)) for profile in profiles)
    return names if names and all(names) else None


def _gpu_instances(gpu: Any, pci_id: str, profiles: list[Any]) -> list[Instance]:
    """Every GPU instance of one GPU, by id. NVML lists them per profile, so each profile is asked once."""
    found: list[Instance] = []
    for profile in profiles:
        handles = _instance_handles(pynvml.nvmlDeviceGetGpuInstances, gpu, profile.id, pynvml.c_nvmlGpuInstance_t)
        if not handles:
            continue
        name = profile_name(pci_id, profile.id, getattr(profile, "name", None))
        # The same for each instance of a profile.
        compute_profiles = _compute_profiles(handles[0])
        for handle in handles:
            info = call(pynvml.nvmlGpuInstanceGetInfo, handle)
            compute = tuple(_compute_instances(handle, name, profile.sliceCount, compute_profiles))
            found.append(Instance(info.id, name, info.placement.start, info.placement.size, compute))
    return sorted(found, key=lambda instance: instance.gpu_instance_id)


def _compute_profiles(instance: Any) -> list[tuple[int, int]]:
    """Id and compute slices of each profile of compute instances that a GPU instance may hold."""
    function = pynvml.nvmlGpuInstanceGetComputeInstanceProfileInfo
    engines = pynvml.NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_SHARED
    profiles = _profiles(COMPUTE_INSTANCE_PROFILES, function, instance, engines)
    return [(profile.id, profile.sliceCount) for profile in profiles]


def _compute_instances(
    instance: Any, gpu_instance_profile: str, gpu_instance_slices: int, compute_profiles: list[tuple[int, int]]
) -> list[ComputeInstance]:
    """Every compute instance of one GPU instance, by id, with the name of its MIG device."""
    found: list[ComputeInstance] = []
    for profile_id, slices in compute_profiles:
        name = gpu_instance_profile if slices == gpu_instance_slices else f"{slices}c.{gpu_instance_profile}"
        function = pynvml.nvmlGpuInstanceGetComputeInstances
        for handle in _instance_handles(function, instance, profile_id, pynvml.c_nvmlComputeInstance_t):
            info = call(pynvml.nvmlComputeInstanceGetInfo, handle)
            found.append(ComputeInstance(info.id, name, slices))
    return sorted(found, key=lambda compute: compute.compute_instance_id)


def _profiles(count: int, function: Callable[..., Any], parent: Any, *engines: int) -> list[Any]:
    """What NVML knows about each profile that exists. Raises NvmlError if there is none, which cannot be true."""
    function = _with_version_1(function)
    answers = [call(function, parent, number, *engines, absent=NO_SUCH_PROFILE) for number in range(count)]
    profiles = [profile for profile in answers if profile is not None]
    if not profiles:
        raise NvmlError(f"{function.__name__}: MIG is on, but the driver reports no profile")
    return profiles


def _with_version_1(function: Callable[..., Any]) -> Callable[..., Any]:
    """The call that also returns the profile's name; on a driver before R510, which lacks it, the call without."""

    @wraps(function)
    def either(*args: Any) -> Any:
        try:
            return function(*args)
        except pynvml.NVMLError as exc:
            if exc.value != pynvml.NVML_ERROR_FUNCTION_NOT_FOUND:
                raise
            return function(*args, version=1)

    return either


def _instance_handles(function: Callable[..., Any], parent: Any, profile_id: int, handle_type: Any) -> list[Any]:
    """Handles of the instances of one profile."""
    buffer, count = (handle_type * MAX_INSTANCES)(), pynvml.c_uint(MAX_INSTANCES)
    call(function, parent, profile_id, buffer, pynvml.byref(count))
    return list(buffer[: count.value])
