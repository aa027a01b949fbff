"""One reading of NVML: open, look at every GPU, close. Nothing is ever written to a GPU.

Call this in a process of its own: pynvml caches the library per process, and an open NVML makes the process a client
that can stand in MIG Manager's way ("In use by another client").
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pynvml

from mig.report import ComputeInstance, Gpu, Instance, profile_name

T = TypeVar("T")

MISSING = (pynvml.NVML_ERROR_NOT_FOUND, pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_INVALID_ARGUMENT)
"""A profile the GPU does not have, an index gap, a GPU without MIG: answers, not errors."""


class NvmlError(Exception):
    """NVML refused; the text names the call, NVML's own words and the likely cause."""


LIKELY_CAUSES = {
    pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: "no libnvidia-ml.so.1 here; is the pod's runtime class 'nvidia'?",
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED: "the NVIDIA kernel module is not loaded on this node",
    pynvml.NVML_ERROR_NO_PERMISSION: "the container may not read MIG devices; is NVIDIA_MIG_MONITOR_DEVICES=all set?",
    pynvml.NVML_ERROR_GPU_IS_LOST: "a GPU fell off the bus; look at the kernel log for XID 79",
    pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: "the driver was upgraded under a running system; reload it or reboot",
}


def read() -> tuple[str, list[Gpu]]:
    """The driver's version and every GPU with its instances, by index; raises :class:`NvmlError`."""
    with _opened():
        driver = _text(_ask("nvmlSystemGetDriverVersion", pynvml.nvmlSystemGetDriverVersion))
        count = _ask("nvmlDeviceGetCount", pynvml.nvmlDeviceGetCount)
        return driver, [_gpu(index) for index in range(count)]


@contextmanager
def _opened() -> Iterator[None]:
    _ask("nvmlInit", pynvml.nvmlInit)
    try:
        yield
    finally:
        pynvml.nvmlShutdown()


def _ask(what: str, call: Callable[..., T], *args: Any) -> T:
    try:
        return call(*args)
    except pynvml.NVMLError as exc:
        code = getattr(exc, "value", None)
        cause = f" ({LIKELY_CAUSES[code]})" if code in LIKELY_CAUSES else ""
        raise NvmlError(f"{what}: {exc}{cause}") from None


def _if_any(what: str, call: Callable[..., T], *args: Any) -> T | None:
    """As :func:`_ask`, with ``None`` where NVML says that there is no such thing."""
    try:
        return call(*args)
    except pynvml.NVMLError as exc:
        if getattr(exc, "value", None) in MISSING:
            return None
        return _ask(what, call, *args)


def _gpu(index: int) -> Gpu:
    handle = _ask(f"nvmlDeviceGetHandleByIndex({index})", pynvml.nvmlDeviceGetHandleByIndex, index)
    mode = _if_any(f"nvmlDeviceGetMigMode({index})", pynvml.nvmlDeviceGetMigMode, handle)
    pci = _ask(f"nvmlDeviceGetPciInfo({index})", pynvml.nvmlDeviceGetPciInfo, handle)
    pci_id = f"0x{pci.pciDeviceId:08X}"
    memory = _ask(f"nvmlDeviceGetMemoryInfo({index})", pynvml.nvmlDeviceGetMemoryInfo, handle)
    return Gpu(
        index=index,
        uuid=_text(_ask(f"nvmlDeviceGetUUID({index})", pynvml.nvmlDeviceGetUUID, handle)),
        pci_id=pci_id,
        product=_text(_ask(f"nvmlDeviceGetName({index})", pynvml.nvmlDeviceGetName, handle)),
        memory_mib=int(memory.total) // 2**20,
        mig_mode_current=None if mode is None else bool(mode[0]),
        mig_mode_pending=None if mode is None else bool(mode[1]),
        instances=tuple(_instances(index, handle, pci_id)) if mode is not None and mode[0] else (),
    )


def _instances(index: int, handle: Any, pci_id: str) -> list[Instance]:
    """Every GPU instance of one GPU, by id; NVML lists them per profile, so each profile is asked once."""
    found: list[Instance] = []
    for enum in range(pynvml.NVML_GPU_INSTANCE_PROFILE_COUNT):
        profile = _if_any("nvmlDeviceGetGpuInstanceProfileInfo", _profile, handle, enum)
        if profile is None:
            continue
        profile_id, name, capacity = profile
        listed = _if_any(f"nvmlDeviceGetGpuInstances({index})", _listed, handle, profile_id, capacity)
        for instance in listed or ():
            info = _ask("nvmlGpuInstanceGetInfo", pynvml.nvmlGpuInstanceGetInfo, instance)
            found.append(
                Instance(
                    gpu_instance_id=int(info.id),
                    profile=profile_name(pci_id, profile_id, name),
                    start=int(info.placement.start),
                    size=int(info.placement.size),
                    compute_instances=tuple(_compute_instances(instance, name)),
                )
            )
    return sorted(found, key=lambda instance: instance.gpu_instance_id)


def _profile(handle: Any, enum: int) -> tuple[int, str, int]:
    """A profile's id, the driver's own name for it, and how many instances of it at most."""
    info = pynvml.nvmlDeviceGetGpuInstanceProfileInfoV(handle, enum)
    return int(info.id), _text(info.name).removeprefix("MIG "), int(info.instanceCount)


def _listed(handle: Any, profile_id: int, capacity: int) -> list[Any]:
    buffer = (pynvml.c_nvmlGpuInstance_t * capacity)()
    count = pynvml.c_uint(capacity)
    pynvml.nvmlDeviceGetGpuInstances(handle, profile_id, buffer, pynvml.byref(count))
    return [buffer[i] for i in range(count.value)]


def _compute_instances(instance: Any, profile: str) -> list[ComputeInstance]:
    found: list[ComputeInstance] = []
    for enum in range(pynvml.NVML_COMPUTE_INSTANCE_PROFILE_COUNT):
        info = _if_any(
            "nvmlGpuInstanceGetComputeInstanceProfileInfo",
            pynvml.nvmlGpuInstanceGetComputeInstanceProfileInfo,
            instance,
            enum,
            pynvml.NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_SHARED,
        )
        if info is None:
            continue
        buffer = (pynvml.c_nvmlComputeInstance_t * int(info.instanceCount))()
        count = pynvml.c_uint(int(info.instanceCount))
        pynvml.nvmlGpuInstanceGetComputeInstances(instance, info.id, buffer, pynvml.byref(count))
        slices = int(info.sliceCount)
        for i in range(count.value):
            detail = _ask("nvmlComputeInstanceGetInfo", pynvml.nvmlComputeInstanceGetInfo, buffer[i])
            named = profile if profile.startswith(f"{slices}g.") else f"{slices}c.{profile}"
            found.append(ComputeInstance(compute_instance_id=int(detail.id), profile=named, slices=slices))
    return sorted(found, key=lambda compute: compute.compute_instance_id)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
