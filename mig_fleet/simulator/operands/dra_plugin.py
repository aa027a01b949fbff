"""The kubelet plugin of NVIDIA's DRA driver: publishes the node's devices as a ResourceSlice.

Behaviour of dra-driver-nvidia-gpu v0.4.1 with its default features.
"""

import asyncio
from typing import Any, Final

from mig_fleet.model.dra import DRIVER
from mig_fleet.simulator.errors import ApiError
from mig_fleet.simulator.faults import Fault
from mig_fleet.simulator.node.container import Container
from mig_fleet.simulator.node.node import SimulatedNode
from mig_fleet.simulator.operands import dra_devices
from mig_fleet.simulator.operands.dra_devices import DraPluginError

RESOURCE_SLICES: Final = "/apis/resource.k8s.io/v1/resourceslices"
FIELD_MANAGER: Final = "gpu-kubelet-plugin"
RETRY_S: Final = 1.0


async def run(container: Container) -> int:
    """Read the GPUs once, at the start, and publish them; later changes of the GPUs are not noticed.

    The ResourceSlice stays when the plugin ends: the kubelet deletes it after a while without a new plugin
    (kubernetes v1.37.2, pkg/kubelet/cm/dra/plugin/dra_plugin_manager.go).
    """
    node = container.node
    try:
        if node.driver.errors:
            raise DraPluginError(
                "; ".join(f"{call}: NVML returned {code}" for call, code in node.driver.errors.items())
            )
        found = dra_devices.devices(node.driver)
    except DraPluginError as exc:
        container.log(f"Error: error creating driver: {exc}")
        return 1
    node.dra_plugins.add(container.pod.uid)
    try:
        is_stale = node.use_up(Fault.PLUGIN_STALE)
        while not is_stale:
            try:
                await publish(node, found)
                break
            except ApiError as exc:
                container.log(str(exc))
                await asyncio.sleep(RETRY_S)
        container.log(f"published {[device['name'] for device in found]}")
        await asyncio.Event().wait()
    finally:
        node.dra_plugins.discard(container.pod.uid)
        node.spawn(_delete_unless_registered(node))
    return 0


async def publish(node: SimulatedNode, devices: list[dict[str, Any]]) -> None:
    """Create the node's ResourceSlice, or replace the devices of the one that there is, in the same generation of the
    pool. A node without devices has a slice without devices.
    """
    existing = await _existing(node)
    spec: dict[str, Any] = {
        "driver": DRIVER,
        "nodeName": node.name,
        "pool": {"name": node.name, "generation": 1, "resourceSliceCount": 1},
        "devices": devices,
    }
    if not existing:
        owner = {"apiVersion": "v1", "kind": "Node", "name": node.name, "uid": node.object["metadata"]["uid"]}
        metadata = {"generateName": f"00000-{DRIVER}-{node.name}-", "ownerReferences": [{**owner, "controller": True}]}
        await node.api.create(RESOURCE_SLICES, {"metadata": metadata, "spec": spec}, FIELD_MANAGER)
        return
    first = existing[0]
    if first["spec"].get("devices") != devices:
        await node.api.patch(f"{RESOURCE_SLICES}/{first['metadata']['name']}", {"spec": {"devices": devices}})


async def _delete_unless_registered(node: SimulatedNode) -> None:
    await asyncio.sleep(node.timing.resource_slices_kept)
    if not node.dra_plugins:
        for item in await _existing(node):
            await node.api.delete(f"{RESOURCE_SLICES}/{item['metadata']['name']}")


async def _existing(node: SimulatedNode) -> list[dict[str, Any]]:
    query = f"spec.nodeName={node.name},spec.driver={DRIVER}"
    items: list[dict[str, Any]] = (await node.api.get(RESOURCE_SLICES, fieldSelector=query))["items"]
    return items
