"""What an autoscaler needs to grow the pools with a selector from zero, as text."""

import json
from collections.abc import Iterator

from mig_fleet.model.labels import CONFIG, STARTUP_TAINT
from mig_fleet.stack_file.autoscaling import TAINT_EFFECT, TAINT_VALUE, NewNode, Platform, new_node
from mig_fleet.stack_file.fleet import Fleet

TITLES = {
    Platform.AWS: "Cluster Autoscaler on AWS, tags of the Auto Scaling group:",
    Platform.AZURE: "Cluster Autoscaler on Azure, tags of the scale set:",
    Platform.CLUSTER_API: "Cluster Autoscaler with Cluster API, annotations of the MachineDeployment:",
    Platform.KARPENTER: "Karpenter, a NodeOverlay, and the taint as one of startupTaints of the NodePool:",
}


def lines(declared: Fleet) -> Iterator[str]:
    """Nothing if every pool lists its nodes."""
    nodes = [node for pool in declared.pools if (node := new_node(pool, declared))]
    if not nodes:
        return
    yield from ("", "To grow a pool from zero, an autoscaler needs (docs/reference/rollout.md, Autoscalers):")
    for node in nodes:
        yield f"  {node.pool}"
        yield f"    the taint of new nodes: {STARTUP_TAINT}={TAINT_VALUE}:{TAINT_EFFECT}"
        yield f"    their label if MIG Manager may partition them before the next update: {CONFIG}={node.config}"
        for platform in node.platforms:
            yield f"    {TITLES[platform]}"
            yield from (f"      {line}" for line in _of_platform(node, platform))


def _of_platform(node: NewNode, platform: Platform) -> Iterator[str]:
    if platform is Platform.KARPENTER:
        yield json.dumps(node.karpenter())
        return
    tags = {Platform.AWS: node.aws, Platform.AZURE: node.azure, Platform.CLUSTER_API: node.cluster_api}[platform]()
    yield from (f"{key}: {json.dumps(value)}" for key, value in tags.items())
