"""Which container does what."""

import asyncio
from typing import Final

from mig_fleet.simulator import operator
from mig_fleet.simulator.node import manager, operands, played_probe, process
from mig_fleet.simulator.node.context import Behaviour, Context
from mig_fleet.simulator.node.pod import EXIT_CODE, RUNS_FOR, Pod

BY_APP: Final[dict[str, Behaviour]] = {
    "nvidia-mig-manager": manager.run,
    "nvidia-device-plugin-daemonset": operands.plugin,
    "gpu-feature-discovery": operands.discovery,
    "gpu-operator": operator.run,
}
"""Label ``app`` → behaviour, the names that NVIDIA's chart and operator give."""

PROBE: Final = "mig-probe"
"""Label ``app.kubernetes.io/name`` of the pods whose program is really run, unless the fleet is too large for that."""


def behaviour(pod: Pod, probe: str) -> Behaviour:
    """What the pod's container will do; ``probe`` as in :class:`~mig_fleet.simulator.fleet_file.FleetFile`."""
    if pod.labels.get("app.kubernetes.io/name") == PROBE:
        return process.run if probe == "process" else played_probe.run
    if pod.of_job or RUNS_FOR in pod.annotations or EXIT_CODE in pod.annotations:
        return _work
    return BY_APP.get(pod.labels.get("app", ""), _idle)


async def _idle(_: Context) -> int:
    await asyncio.Event().wait()
    return 0


async def _work(context: Context) -> int:
    """A Job's pod, or any other that is told when and how to end."""
    annotations = context.pod.annotations
    await asyncio.sleep(float(annotations.get(RUNS_FOR, context.node.timing.job)))
    return int(annotations.get(EXIT_CODE, "0"))
