"""A reboot of one node: what ends, what the GPUs forget, and what starts again."""

import asyncio
from typing import TYPE_CHECKING, Final

from mig_fleet.simulator.api import Json
from mig_fleet.simulator.driver import Gpu
from mig_fleet.simulator.driver.gpu import RESETS_ON_MODE_CHANGE

if TYPE_CHECKING:
    from mig_fleet.simulator.node.kubelet import Kubelet

ANNOTATION: Final = "simulator.mig-fleet.dev/reboot"
"""Node annotation; whenever its value changes, the node reboots."""


def is_asked(before: Json, after: Json) -> bool:
    """Whether the annotation changed between two versions of a Node."""
    was, now = ((node["metadata"].get("annotations") or {}).get(ANNOTATION) for node in (before, after))
    return now is not None and now != was


async def reboot(kubelet: "Kubelet") -> None:
    """Every container ends without notice; the same pods start again when the machine is up."""
    node = kubelet.node
    node.set_down(True)
    await kubelet.halt()
    with node.driver_file.change() as driver:
        for gpu in driver.gpus:
            lose_power(gpu)
    await asyncio.sleep(node.timing.reboot)
    node.set_down(False)
    kubelet.resume()


def lose_power(gpu: Gpu) -> None:
    """Instances never survive; the mode does on Ampere, and is off again on Hopper and newer (MIG user guide).

    A mode that was pending takes effect.
    """
    gpu.instances.clear()
    gpu.clients.clear()
    keeps_mode = gpu.model.architecture.split()[0] in RESETS_ON_MODE_CHANGE
    if gpu.pending == gpu.mode and not keeps_mode:
        gpu.pending = False
    gpu.mode = gpu.pending
