"""The resources the NVIDIA device plugin registers with the kubelet (k8s-device-plugin v0.20.0)."""

from collections import Counter

from mig_fleet.model.labels import GPU_RESOURCE, RESOURCE_PREFIX
from mig_fleet.model.profiles import Profile
from mig_fleet.simulator.driver import Driver, GpuInstance
from mig_fleet.simulator.errors import SimulatorError


class PluginError(SimulatorError):
    """The plugin cannot serve the node and ends; the kubelet then offers none of its resources."""


def resources(driver: Driver, strategy: str) -> dict[str, int]:
    """Resource name → how many; raises :class:`PluginError` in the plugin's own words."""
    if strategy == "mixed":
        return _mixed(driver)
    if strategy == "single" and any(gpu.mode for gpu in driver.gpus):
        return {GPU_RESOURCE: _single(driver)}
    return {GPU_RESOURCE: len(driver.gpus)}


def devices(driver: Driver, resource: str) -> list[tuple[int, GpuInstance | None]]:
    """The devices behind one resource that no client holds: GPU index and instance, ``None`` for a whole GPU."""
    found: list[tuple[int, GpuInstance | None]] = []
    for gpu in driver.gpus:
        if not gpu.mode:
            if resource == GPU_RESOURCE and not gpu.clients:
                found.append((gpu.index, None))
            continue
        held = {client.instance for client in gpu.clients}
        for instance in gpu.instances:
            offered = {GPU_RESOURCE, Profile.parse(instance.profile).resource}
            if resource in offered and instance.id not in held:
                found.append((gpu.index, instance))
    return found


def _mixed(driver: Driver) -> dict[str, int]:
    """GPUs without MIG as they are, slices under their own names; one split slice takes the whole plugin down."""
    counts: Counter[str] = Counter()
    for gpu in driver.gpus:
        counts.update(gpu.counts())
    for name in counts:
        if Profile.parse(name).is_split:
            raise PluginError(f"MIG profile '{name}' does not match any resource patterns ({RESOURCE_PREFIX}*)")
    whole = {GPU_RESOURCE: sum(not gpu.mode for gpu in driver.gpus)}
    return whole | {Profile.parse(name).resource: count for name, count in counts.items()}


def _single(driver: Driver) -> int:
    """Every slice as a GPU, provided that all are alike."""
    if not all(gpu.mode for gpu in driver.gpus):
        raise PluginError("all devices on the node must be configured with the same migEnabled value")
    counts: Counter[str] = Counter()
    for gpu in driver.gpus:
        if not gpu.instances:
            raise PluginError(f"device {gpu.uuid} has no MIG devices configured")
        counts.update(gpu.counts())
    if len(counts) > 1:
        raise PluginError("more than one MIG device type present on node")
    return counts.total()
