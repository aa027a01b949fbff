"""The NVIDIA device plugin: the resources that it registers with the kubelet (k8s-device-plugin v0.20.0)."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Final

from mig_fleet.model.labels import GPU_RESOURCE
from mig_fleet.model.profiles import Profile
from mig_fleet.simulator.driver import Driver, Gpu
from mig_fleet.simulator.driver.attributes import Attributes, attributes
from mig_fleet.simulator.errors import SimulatorError
from mig_fleet.simulator.faults import Fault
from mig_fleet.simulator.node.container import Container

REPLICAS: Final = 2
"""How often a shared device is offered."""


class PluginError(SimulatorError):
    """The plugin ends because it cannot serve the node; the kubelet then offers none of its resources."""


async def run(container: Container) -> int:
    """Read the GPUs once, at the start, and register their resources; later changes of the GPUs are not noticed.

    When the plugin ends, the kubelet offers none of NVIDIA's resources.
    """
    strategy = container.environment.get("MIG_STRATEGY", "none")
    try:
        offered: Mapping[str, int] = resources(container.node.driver, strategy)
    except PluginError as exc:
        container.log(f"error starting plugins: {exc}")
        return 1
    if Fault.PLUGIN_SHARES in container.node.faults:
        offered = {name: REPLICAS * count for name, count in offered.items()}
    if container.node.registered and container.node.use_up(Fault.PLUGIN_STALE):
        offered = container.node.registered
    container.log(f"Registered device plugin for Kubelet: {offered}")
    container.node.offer(offered)
    try:
        await asyncio.Event().wait()
    finally:
        container.node.offer({})
    return 0


def resources(driver: Driver, strategy: str) -> dict[str, int]:
    """Resource name → number of devices; raises :class:`PluginError` with the plugin's own message."""
    if strategy == "mixed":
        return _mixed(driver)
    if strategy == "single" and any(gpu.mode for gpu in driver.gpus):
        return {GPU_RESOURCE: _single(driver)}
    return {GPU_RESOURCE: len(driver.gpus)}


def _mixed(driver: Driver) -> dict[str, int]:
    """GPUs without MIG as whole GPUs, slices under their own names; one partial GPU instance ends the whole plugin."""
    names = [name for gpu in driver.gpus for name in _device_names(gpu)]
    for name in names:
        if Profile.parse(name).is_split:
            raise PluginError(f"MIG profile '{name}' does not match any resource patterns")
    whole = {GPU_RESOURCE: sum(not gpu.mode for gpu in driver.gpus)}
    return whole | dict(Counter(Profile.parse(name).resource for name in names))


def _single(driver: Driver) -> int:
    """Every slice counts as a GPU; NVML must report the same attributes of all slices, whatever their profiles are."""
    kinds: set[Attributes] = set()
    count = 0
    for gpu in driver.gpus:
        names = _device_names(gpu)
        if gpu.mode and not names:
            raise PluginError(f"device {gpu.index} has no MIG devices configured")
        kinds |= {attributes(gpu.model, name) for name in names}
        count += len(names)
    if len(kinds) > 1:
        raise PluginError("more than one MIG device type present on node")
    if not all(gpu.mode for gpu in driver.gpus):
        raise PluginError("all devices on the node must be configured with the same migEnabled value")
    return count


def _device_names(gpu: Gpu) -> list[str]:
    """Profile names of the MIG devices of a GPU, by their places."""
    placed = [(it.start, part.start, gpu.device_name(it, part)) for it in gpu.instances for part in it.compute]
    return [name for _, _, name in sorted(placed)]
