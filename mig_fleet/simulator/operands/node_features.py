"""Node Feature Discovery's worker on one node, and the labels that its master writes for it (chart and worker v0.19.0).

The operator finds GPU nodes by these labels, so a node where the worker may not run never gets an operand.
"""

import asyncio
from typing import Final

from mig_fleet.simulator import operating_system
from mig_fleet.simulator.errors import ApiError
from mig_fleet.simulator.node.container import Container

FEATURES: Final = {
    "feature.node.kubernetes.io/pci-10de.present": "true",
    "feature.node.kubernetes.io/kernel-version.full": operating_system.KERNEL,
    "feature.node.kubernetes.io/system-os_release.ID": operating_system.ID,
    "feature.node.kubernetes.io/system-os_release.VERSION_ID": operating_system.VERSION_ID,
}
"""With the chart's values for the worker, which leave the class of a device out of its label."""

RETRY_S: Final = 1.0


async def run(container: Container) -> int:
    """Label the node once; the labels remain when the pod ends."""
    while True:
        try:
            await container.node.patch_labels(FEATURES)
            break
        except ApiError as exc:
            container.log(str(exc))
            await asyncio.sleep(RETRY_S)
    await asyncio.Event().wait()
    return 0
