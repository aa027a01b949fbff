"""Which container does what: the one table from a pod to the behaviour of its container."""

import asyncio
from collections.abc import Mapping
from typing import Final

from mig_fleet.simulator.dra_driver import COMPONENT as DRA_PLUGIN
from mig_fleet.simulator.node.container import Behaviour, BehaviourOf, Container
from mig_fleet.simulator.node.pod import EXIT_CODE, RUNS_FOR, Pod
from mig_fleet.simulator.operands import (
    dcgm_exporter,
    device_plugin,
    dra_plugin,
    feature_discovery,
    manager,
    node_features,
    operator,
)

MIG_MANAGER: Final = "nvidia-mig-manager"

BY_APP: Final[Mapping[str, Behaviour]] = {
    MIG_MANAGER: manager.run,
    "nvidia-device-plugin-daemonset": device_plugin.run,
    "gpu-feature-discovery": feature_discovery.run,
    "nvidia-dcgm-exporter": dcgm_exporter.run,
    "gpu-operator": operator.run,
}
"""Label ``app`` → behaviour; the names are those of NVIDIA's chart and operator."""

FEATURES: Final = {"app.kubernetes.io/name": "node-feature-discovery", "role": "worker"}
"""Labels of the pods of Node Feature Discovery's worker."""

PROBE: Final = "mig-probe"
"""Label ``app.kubernetes.io/name`` of the probe's pods."""


def behaviours(
    probe: Behaviour, mig_manager: Behaviour = manager.run, dra_driver: Behaviour = dra_plugin.run
) -> BehaviourOf:
    """The selection for a whole fleet; the arguments are what the pods of these programs do."""
    by_app = {**BY_APP, MIG_MANAGER: mig_manager}

    def behaviour_of(pod: Pod) -> Behaviour:
        if pod.labels.get("app.kubernetes.io/name") == PROBE:
            return probe
        if FEATURES.items() <= pod.labels.items():
            return node_features.run
        if DRA_PLUGIN.items() <= pod.labels.items():
            return dra_driver
        if pod.of_job or RUNS_FOR in pod.annotations or EXIT_CODE in pod.annotations:
            return _finish
        return by_app.get(pod.labels.get("app", ""), _idle)

    return behaviour_of


async def _idle(_: Container) -> int:
    await asyncio.Event().wait()
    return 0


async def _finish(container: Container) -> int:
    """The pod of a Job, or a pod with annotations for its duration or exit status."""
    annotations = container.pod.annotations
    await asyncio.sleep(float(annotations.get(RUNS_FOR, container.node.timing.job)))
    return int(annotations.get(EXIT_CODE, "0"))
