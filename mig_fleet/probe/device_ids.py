"""The IDs under which NVIDIA's device plugin offers GPUs and MIG devices to the kubelet.

They are NVML's UUIDs: ``GPU-…`` for a GPU and ``MIG-…`` for a MIG device, ``MIG-GPU-<uuid>/<gi>/<ci>`` with a driver
before R470. A shared device has one ID for each of its replicas, ``<uuid>::<number>``. The plugin's option
``deviceIDStrategy: index`` changes what a container sees, not these IDs (k8s-device-plugin v0.20.0,
internal/rm/devices.go, internal/plugin/server.go).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pynvml

from mig_fleet.model.report import Gpu, Instance, Report
from mig_fleet.probe.nvml_calls import NvmlError, call

REPLICA = "::"
NO_DEVICE = (pynvml.NVML_ERROR_NOT_FOUND, pynvml.NVML_ERROR_INVALID_ARGUMENT)
"""The numbers of a GPU's MIG devices have gaps; go-nvlib skips the same two (pkg/nvlib/device/device.go)."""

Device = tuple[int, int | None, int | None]
"""NVML index of the GPU, GPU instance ID, compute instance ID; the last two are None for a whole GPU."""


@dataclass(frozen=True, slots=True)
class DeviceIds:
    """The devices by ID; ``error`` says why some may be missing."""

    devices: Mapping[str, Device]
    error: str = ""

    def find(self, device_id: str) -> Device | None:
        """The device of an ID, with or without the number of a replica; None if NVML has no such device."""
        return self.devices.get(device_id.partition(REPLICA)[0])


def with_mig_uuids(report: Report, devices: DeviceIds) -> Report:
    """The report with the UUID of each MIG device. An ID before R470 is the UUID, too."""
    uuids: dict[Device, str] = {}
    for name, device in devices.devices.items():
        uuids.setdefault(device, name)
    return replace(
        report,
        gpus=tuple(
            replace(gpu, instances=tuple(_with_uuids(gpu.index, instance, uuids) for instance in gpu.instances))
            for gpu in report.gpus
        ),
    )


def _with_uuids(gpu: int, instance: Instance, uuids: Mapping[Device, str]) -> Instance:
    compute = (
        replace(it, mig_uuid=uuids.get((gpu, instance.gpu_instance_id, it.compute_instance_id)))
        for it in instance.compute_instances
    )
    return replace(instance, compute_instances=tuple(compute))


def read(gpus: Iterable[Gpu]) -> DeviceIds:
    """The IDs of these GPUs and of their MIG devices. NVML must be initialized; none of its errors is raised."""
    found: dict[str, Device] = {}
    try:
        for gpu in gpus:
            found[gpu.uuid] = gpu.index, None, None
            if gpu.mig_mode_current:
                found |= _mig_devices(gpu)
    except NvmlError as exc:
        return DeviceIds(found, str(exc))
    return DeviceIds(found)


def _mig_devices(gpu: Gpu) -> dict[str, Device]:
    found: dict[str, Device] = {}
    handle: Any = call(pynvml.nvmlDeviceGetHandleByIndex, gpu.index)
    for number in range(call(pynvml.nvmlDeviceGetMaxMigDeviceCount, handle)):
        device = call(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, number, absent=NO_DEVICE)
        if device is None:
            continue
        instance = call(pynvml.nvmlDeviceGetGpuInstanceId, device)
        compute = call(pynvml.nvmlDeviceGetComputeInstanceId, device)
        for name in (call(pynvml.nvmlDeviceGetUUID, device), f"MIG-{gpu.uuid}/{instance}/{compute}"):
            found[name] = gpu.index, instance, compute
    return found
