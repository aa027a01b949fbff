"""One reading of NVML: open, look at every GPU, close. Nothing is ever written to a GPU.

Call this in a process of its own: pynvml caches the library per process, an open NVML makes the process a client that
can stand in MIG Manager's way ("In use by another client"), and a driver that hangs or crashes takes the process along.

The oldest driver that has every call is R460: ``nvmlComputeInstanceGetInfo_v2`` came with CUDA 11.2.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any

import pynvml

from mig_fleet.model.gpus import by_pci
from mig_fleet.model.report import ComputeInstance, Gpu, Instance, Report, profile_name

ROOM = 64
"""Handles that a list of instances may hold. NVML writes as many as there are and is not told the buffer's size; the
``instanceCount`` of a profile, meant for this, is too small on A30 (mig-parted pkg/mig/discovery/discovery.go)."""

KINDS, SPLITS = 32, 16
"""Profiles of GPU instances and of compute instances that are asked for. nvml.h counts 18 and 9 by now and adds to them
with new GPUs: a driver that is newer than the bindings knows kinds that these have no name for."""

INCAPABLE = (pynvml.NVML_ERROR_NOT_SUPPORTED,)
"""A GPU without MIG, or without memory of its own: an answer, not an error."""

NO_SUCH_PROFILE = (pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_INVALID_ARGUMENT)
"""A profile that the GPU lacks, and one that the driver has not heard of; mig-parted passes over the same two."""

LIKELY_CAUSES = {
    pynvml.NVML_ERROR_NO_PERMISSION: "the container may not read MIG devices; is NVIDIA_MIG_MONITOR_DEVICES=all set?",
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED: "the NVIDIA kernel module is not loaded on this node",
    pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: "no libnvidia-ml.so.1 here: no driver, or no runtime class 'nvidia'",
    pynvml.NVML_ERROR_FUNCTION_NOT_FOUND: "the driver is too old to know this call",
    pynvml.NVML_ERROR_GPU_IS_LOST: "a GPU fell off the bus; look at the kernel log for XID 79",
    pynvml.NVML_ERROR_RESET_REQUIRED: "the GPU must be reset, or the node rebooted",
    pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: "the driver was upgraded under a running system; reload it or reboot",
    pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH: "the driver is too old for this form of the call",
}


class NvmlError(Exception):
    """NVML refused; the text names the call, NVML's own words and the likely cause."""


def read(node: str) -> Report:
    """What NVML has, with a sentence for each GPU of which it refused to tell; no error of NVML leaves this function.

    Config, state and attempt are left open: they are not NVML's.
    """
    driver, gpus, errors = "", [], []
    try:
        with _opened():
            driver = _ask(pynvml.nvmlSystemGetDriverVersion)
            for index in range(_ask(pynvml.nvmlDeviceGetCount)):
                try:
                    gpus.append(_gpu(index))
                except NvmlError as exc:
                    errors.append(f"GPU {index}: {exc}")
    except NvmlError as exc:
        errors.append(str(exc))
    return Report(node, driver, config=None, state=None, gpus=tuple(gpus), errors=tuple(errors))


@contextmanager
def _opened() -> Iterator[None]:
    _ask(pynvml.nvmlInit)
    try:
        yield
    finally:
        # What was read stays true when closing fails, and the process ends anyway.
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def _ask(call: Callable[..., Any], *args: Any, absent: tuple[int, ...] = ()) -> Any:
    """NVML's answer, or ``None`` for the codes by which it says that there is no such thing."""
    try:
        return call(*args)
    except pynvml.NVMLError as exc:
        if exc.value in absent:
            return None
        cause = LIKELY_CAUSES.get(exc.value)
        raise NvmlError(f"{call.__name__}: {exc}{f' ({cause})' if cause else ''}") from None


def _gpu(index: int) -> Gpu:
    handle = _ask(pynvml.nvmlDeviceGetHandleByIndex, index)
    mode = _ask(pynvml.nvmlDeviceGetMigMode, handle, absent=INCAPABLE)
    memory = _ask(pynvml.nvmlDeviceGetMemoryInfo, handle, absent=INCAPABLE)
    pci_id = f"0x{_ask(pynvml.nvmlDeviceGetPciInfo, handle).pciDeviceId:08X}"
    model = by_pci(pci_id)
    return Gpu(
        index=index,
        uuid=_ask(pynvml.nvmlDeviceGetUUID, handle),
        pci_id=pci_id,
        product=_ask(pynvml.nvmlDeviceGetName, handle),
        memory_mib=None if memory is None else memory.total // 2**20,
        mig_mode_current=None if mode is None else bool(mode[0]),
        mig_mode_pending=None if mode is None else bool(mode[1]),
        instances=tuple(_instances(handle, pci_id)) if mode is not None and mode[0] else (),
        model=model.name if model else None,
    )


def _instances(gpu: Any, pci_id: str) -> list[Instance]:
    """Every GPU instance of one GPU, by id; NVML lists them per profile, so each profile is asked once."""
    found: list[Instance] = []
    for profile in _profiles(KINDS, pynvml.nvmlDeviceGetGpuInstanceProfileInfo, gpu):
        handles = _listed(pynvml.nvmlDeviceGetGpuInstances, gpu, profile.id, pynvml.c_nvmlGpuInstance_t)
        if not handles:
            continue
        name = profile_name(pci_id, profile.id, getattr(profile, "name", None))
        # What a profile may be split into is the same for each of its instances.
        splits = _splits(handles[0])
        for handle in handles:
            info = _ask(pynvml.nvmlGpuInstanceGetInfo, handle)
            compute = tuple(_compute_instances(handle, name, profile.sliceCount, splits))
            found.append(Instance(info.id, name, info.placement.start, info.placement.size, compute))
    return sorted(found, key=lambda instance: instance.gpu_instance_id)


def _splits(instance: Any) -> list[tuple[int, int]]:
    """Id and compute slices of each kind of compute instance that a GPU instance may hold."""
    ask = pynvml.nvmlGpuInstanceGetComputeInstanceProfileInfo
    engines = pynvml.NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_SHARED
    profiles = _profiles(SPLITS, ask, instance, engines)
    return [(profile.id, profile.sliceCount) for profile in profiles]


def _compute_instances(
    instance: Any, profile: str, slices_of_all: int, splits: list[tuple[int, int]]
) -> list[ComputeInstance]:
    """Every compute instance of one GPU instance, by id, under the name of the MIG device that it is."""
    found: list[ComputeInstance] = []
    for profile_id, slices in splits:
        name = profile if slices == slices_of_all else f"{slices}c.{profile}"
        ask = pynvml.nvmlGpuInstanceGetComputeInstances
        for handle in _listed(ask, instance, profile_id, pynvml.c_nvmlComputeInstance_t):
            info = _ask(pynvml.nvmlComputeInstanceGetInfo, handle)
            found.append(ComputeInstance(info.id, name, slices))
    return sorted(found, key=lambda compute: compute.compute_instance_id)


def _profiles(count: int, ask: Callable[..., Any], owner: Any, *engines: int) -> list[Any]:
    """What NVML knows of each profile that there is; that there is none at all cannot be."""
    answers = [_ask(_in_either_form(ask), owner, enum, *engines, absent=NO_SUCH_PROFILE) for enum in range(count)]
    profiles = [profile for profile in answers if profile is not None]
    if not profiles:
        raise NvmlError(f"{ask.__name__}: MIG is on, and yet the driver knows no profile")
    return profiles


def _in_either_form(ask: Callable[..., Any]) -> Callable[..., Any]:
    """With the profile's name, or without it from a driver before R510, which lacks the newer form of the call."""

    @wraps(ask)
    def answer(*args: Any) -> Any:
        try:
            return ask(*args)
        except pynvml.NVMLError as exc:
            if exc.value != pynvml.NVML_ERROR_FUNCTION_NOT_FOUND:
                raise
            return ask(*args, version=1)

    return answer


def _listed(ask: Callable[..., Any], owner: Any, profile_id: int, kind: Any) -> list[Any]:
    """Handles of the instances of one profile."""
    buffer, count = (kind * ROOM)(), pynvml.c_uint(ROOM)
    _ask(ask, owner, profile_id, buffer, pynvml.byref(count))
    return list(buffer[: count.value])
