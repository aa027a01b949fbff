"""The device plugin and GPU Feature Discovery, for as long as their pods run."""

import asyncio
import time
from collections.abc import Mapping
from typing import Final

from simulator.errors import ApiError
from simulator.faults import Fault
from simulator.node import device_plugin, feature_discovery
from simulator.node.context import Context

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
    seen, wanted = (0, 0), dict[str, str]()
    while True:
        if Fault.GFD_SLOW in node.faults:
            await asyncio.sleep(node.timing.gfd_interval * SLOW_FACTOR)
        if seen != node.driver_stamp:
            seen = node.driver_stamp
            wanted = feature_discovery.discovered(node.driver, node.spec.machine, strategy)
            wanted[f"{feature_discovery.PREFIX}gfd.timestamp"] = stamp
        patch: dict[str, str | None] = {
            name: None for name in node.labels if feature_discovery.owns(name) and name not in wanted
        }
        patch |= {name: value for name, value in wanted.items() if node.labels.get(name) != value}
        if patch and Fault.GFD_STALE not in node.faults:
            try:
                await node.patch_labels(patch)
            except ApiError as exc:
                context.say(f"error updating labels: {exc}")
        await asyncio.sleep(node.timing.gfd_interval)
