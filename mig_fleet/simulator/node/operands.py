"""The device plugin and GPU Feature Discovery, for as long as their pods run."""

import asyncio
import time
from collections.abc import Mapping
from typing import Final

from mig_fleet.simulator.api import version_of
from mig_fleet.simulator.errors import ApiError
from mig_fleet.simulator.faults import Fault
from mig_fleet.simulator.node import device_plugin, feature_discovery
from mig_fleet.simulator.node.context import Context
from mig_fleet.simulator.node.node import SimulatedNode

SLOW_FACTOR: Final = 10


async def plugin(context: Context) -> int:
    """Looks at the GPUs once, when it starts: what changes behind its back it does not see.

    When it leaves, the kubelet has nothing of NVIDIA's to offer any more.
    """
    strategy = context.environment.get("MIG_STRATEGY", "none")
    try:
        offered: Mapping[str, int] = device_plugin.resources(context.node.driver, strategy)
    except device_plugin.PluginError as exc:
        context.say(f"error starting plugins: {exc}")
        return 1
    if context.node.registered and context.node.spend(Fault.PLUGIN_STALE):
        offered = context.node.registered
    context.say(f"Registered device plugin for Kubelet: {offered}")
    context.node.offer(offered)
    try:
        await asyncio.Event().wait()
    finally:
        context.node.offer({})
    return 0


async def discovery(context: Context) -> int:
    """Looks at the GPUs again and again; its labels outlive it."""
    node = context.node
    strategy = context.environment.get("MIG_STRATEGY", "none")
    stamp = str(int(time.time()))
    looked_at: object = None
    while True:
        if Fault.GFD_SLOW in node.faults:
            await asyncio.sleep(node.timing.gfd_interval * SLOW_FACTOR)
        now = node.driver_stamp, version_of(node.object)
        if now != looked_at and Fault.GFD_STALE not in node.faults:
            wanted = feature_discovery.discovered(node.driver, node.spec.machine, strategy)
            wanted[f"{feature_discovery.PREFIX}gfd.timestamp"] = stamp
            try:
                await _replace_labels(node, wanted)
                looked_at = now
            except ApiError as exc:
                context.say(f"error updating labels: {exc}")
        await asyncio.sleep(node.timing.gfd_interval)


async def _replace_labels(node: SimulatedNode, wanted: Mapping[str, str]) -> None:
    """What GFD wants, and nothing else of what it may set."""
    patch: dict[str, str | None] = {
        name: None for name in node.labels if feature_discovery.owns(name) and name not in wanted
    }
    patch |= {name: value for name, value in wanted.items() if node.labels.get(name) != value}
    if patch:
        await node.patch_labels(patch)
