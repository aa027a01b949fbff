"""GPUs and MIG devices for pods, as a kubelet allocates what the device plugin offers."""

from collections.abc import Iterator
from contextlib import contextmanager

from mig_fleet.model.labels import GPU_RESOURCE
from mig_fleet.model.profiles import Profile
from mig_fleet.simulator.driver import Client, Gpu, GpuInstance
from mig_fleet.simulator.driver.state import Driver, DriverFile
from mig_fleet.simulator.node.pod import Pod


class AllocationFailed(Exception):
    """The pod requests devices that do not exist: the node's allocatable resources and its driver differ."""


Devices = tuple[tuple[str, str], ...]
"""Resource and ID of each device that a pod has."""


@contextmanager
def allocated(file: DriverFile, pod: Pod) -> Iterator[Devices]:
    """Allocate what a pod requests for the length of the ``with`` block.

    Meanwhile the pod is a client of the driver and blocks changes. Raises :class:`AllocationFailed`.
    """
    # With DRA a request for whole GPUs is a claim that the scheduler makes.
    requests = {} if pod.has_extended_claim else pod.gpu_requests()
    name = f"{pod.namespace}/{pod.name}"
    if not requests:
        yield ()
        return
    devices: list[tuple[str, str]] = []
    with file.change() as driver:
        for resource, count in requests.items():
            free = free_devices(driver, resource)
            if len(free) < count:
                raise AllocationFailed(f"Allocate failed due to requested {count} {resource}, available {len(free)}")
            for index, instance in free[:count]:
                driver.gpus[index].clients.append(Client(name, instance.id if instance else None))
                devices.append((resource, device_id(driver.gpus[index], instance)))
    try:
        yield tuple(devices)
    finally:
        with file.change() as driver:
            for gpu in driver.gpus:
                gpu.clients = [client for client in gpu.clients if client.name != name]


def device_id(gpu: Gpu, instance: GpuInstance | None) -> str:
    """The ID under which the device plugin offers a GPU or a slice: its UUID. It offers no slice with several parts."""
    return gpu.mig_uuid(instance, instance.compute[0]) if instance is not None and instance.compute else gpu.uuid


def free_devices(driver: Driver, resource: str) -> list[tuple[int, GpuInstance | None]]:
    """The devices of one resource without a client: GPU index and GPU instance, ``None`` for a whole GPU."""
    found: list[tuple[int, GpuInstance | None]] = []
    for gpu in driver.gpus:
        if not gpu.mode:
            if resource == GPU_RESOURCE and not gpu.clients:
                found.append((gpu.index, None))
            continue
        in_use = {client.instance for client in gpu.clients}
        for instance in gpu.instances:
            offered = {GPU_RESOURCE, Profile.parse(instance.profile).resource}
            if resource in offered and instance.id not in in_use:
                found.append((gpu.index, instance))
    return found
