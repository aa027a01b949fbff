"""The devices that NVIDIA's DRA driver publishes for a node, with all attributes and capacities. Pure.

Behaviour of dra-driver-nvidia-gpu v0.4.1 with its default features (cmd/gpu-kubelet-plugin: nvlib.go, deviceinfo.go,
partitions.go).
"""

from collections.abc import Iterator
from typing import Any, Final

from mig_fleet.simulator.driver import Driver, Gpu, GpuInstance
from mig_fleet.simulator.driver.dra_names import device_name, gpu_name
from mig_fleet.simulator.driver.instances import ComputeInstance, nvml_profile_id, profile_memory_mib
from mig_fleet.simulator.driver.text import memory_mib
from mig_fleet.simulator.errors import SimulatorError

BRAND: Final = "Nvidia"
UNITS: Final = ("Ki", "Mi", "Gi", "Ti")


class DraPluginError(SimulatorError):
    """The plugin ends because it cannot read the node's devices."""


def devices(driver: Driver) -> list[dict[str, Any]]:
    """In the form of a ResourceSlice. Raises :class:`DraPluginError`: one split GPU instance ends the plugin."""
    return [device for gpu in driver.gpus for device in _of_gpu(driver, gpu)]


def _of_gpu(driver: Driver, gpu: Gpu) -> Iterator[dict[str, Any]]:
    common = _attributes(driver, gpu)
    if not gpu.mode:
        yield {
            "name": gpu_name(gpu.index),
            "attributes": {**common, **_texts(type="gpu", uuid=gpu.uuid)},
            "capacity": {"memory": {"value": _mebibytes(memory_mib(gpu.model))}},
        }
        return
    for instance in sorted(gpu.instances, key=lambda each: each.start):
        for compute in sorted(instance.compute, key=lambda each: each.start):
            yield _slice(gpu, instance, compute, common)


def _slice(gpu: Gpu, instance: GpuInstance, compute: ComputeInstance, common: dict[str, Any]) -> dict[str, Any]:
    profile, uuid = gpu.model.profile(instance.profile), gpu.mig_uuid(instance, compute)
    if gpu.device_name(instance, compute) != instance.profile:
        where = f'MIG devices for GPU "gpu-{gpu.index}"'
        raise DraPluginError(
            f"error discovering {where}: error getting {where}: error enumerating MIG devices: error getting profile "
            f"info for MIG device: {uuid}"
        )
    engines = profile.engines
    counts = {
        "multiprocessors": profile.sm_count,
        "copyEngines": engines.copy,
        "decoders": engines.dec,
        "encoders": engines.enc,
        "jpegEngines": engines.jpeg,
        "ofaEngines": engines.ofa,
        **{f"memorySlice{place}": 1 for place in range(instance.start, instance.start + instance.size)},
    }
    memory = profile_memory_mib(gpu.model, profile, memory_mib(gpu.model))
    return {
        "name": device_name(gpu.index, profile.name, nvml_profile_id(profile), instance.start),
        "attributes": {**common, **_texts(type="mig", profile=profile.name, parentUUID=gpu.uuid, uuid=uuid)},
        "capacity": {"memory": {"value": _mebibytes(memory)}}
        | {name: {"value": str(count or 0)} for name, count in counts.items()},
    }


def _attributes(driver: Driver, gpu: Gpu) -> dict[str, Any]:
    major, _, minor = (gpu.model.compute_capability or "0.0").partition(".")
    versions = {
        "cudaComputeCapability": f"{major}.{minor}",
        "driverVersion": driver.version,
        "cudaDriverVersion": f"{driver.cuda // 1000}.{driver.cuda % 1000 // 10}",
    }
    return {
        **_texts(productName=gpu.product, brand=BRAND, architecture=gpu.family),
        **{name: {"version": _semantic(version)} for name, version in versions.items()},
        "resource.kubernetes.io/pciBusID": {"string": gpu.bus.lower().removeprefix("0000")},
    }


def _texts(**values: str) -> dict[str, Any]:
    return {name: {"string": value} for name, value in values.items()}


def _semantic(version: str) -> str:
    """Three numbers without leading zeros: 580.126.09 becomes 580.126.9."""
    numbers = [int(part) for part in version.split(".")]
    return ".".join(map(str, [*numbers, 0, 0][:3]))


def _mebibytes(count: int) -> str:
    """As the API server writes a quantity: in the largest unit that leaves a whole number."""
    unit = UNITS.index("Mi")
    while count and count % 1024 == 0 and unit + 1 < len(UNITS):
        count, unit = count // 1024, unit + 1
    return f"{count}{UNITS[unit]}" if count else "0"
