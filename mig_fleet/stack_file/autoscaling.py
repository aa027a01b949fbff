"""What an autoscaler must know of the nodes of a pool that it grows from zero: it has no node to read that from.

Sources: kubernetes/autoscaler at 55c37cd5, cluster-autoscaler/cloudprovider, README.md of aws (tags
``node-template/…``), azure (the same tags, in which ``_`` stands for ``/``) and clusterapi (annotations, with one
resource); kubernetes-sigs/karpenter at 22664681, pkg/apis/v1alpha1/nodeoverlay.go and ApplyCapacityOverlay in
pkg/cloudprovider/types.go (the capacity of an overlay replaces that of the instance type).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from mig_fleet.model.allocated_by import AllocatedBy
from mig_fleet.model.labels import GPU_RESOURCE, STARTUP_TAINT
from mig_fleet.stack_file import summary
from mig_fleet.stack_file.fleet import Fleet, FleetPool

TAINT_VALUE: Final = "true"
TAINT_EFFECT: Final = "NoSchedule"


class Platform(StrEnum):
    """What reads the hints."""

    AWS = "aws"
    AZURE = "azure"
    CLUSTER_API = "clusterApi"
    KARPENTER = "karpenter"


_OF_PLATFORM: Final = {
    Platform.AWS: ("eks.amazonaws.com", "k8s.amazonaws.com", "eksctl.io"),
    Platform.AZURE: ("kubernetes.azure.com", "agentpool"),
    Platform.CLUSTER_API: ("cluster.x-k8s.io", "capi"),
    Platform.KARPENTER: ("karpenter.sh", "karpenter.k8s.aws", "karpenter.azure.com"),
}
"""Words in the names of labels that only nodes of the platform have."""

_WRITTEN_LATER: Final = ("mig-fleet.dev/", "nvidia.com/", "feature.node.kubernetes.io/")
"""Labels that a node gets after it has joined, so that no NodePool of Karpenter has them."""


@dataclass(frozen=True, slots=True)
class NewNode:
    """A node that an autoscaler adds to a pool, as it is once it was verified."""

    pool: str
    labels: Mapping[str, str]
    """Those of the selector."""
    resources: Mapping[str, int]
    """Allocatable; whole GPUs also if there is none, because the type of the machine has some."""
    config: str
    """The config name of the pool's layout."""

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """The platforms that the labels of the selector name, or else all."""
        named = [name for name, words in _OF_PLATFORM.items() if any(w in key for w in words for key in self.labels)]
        return tuple(named or Platform)

    def aws(self) -> dict[str, str]:
        """Tags of the Auto Scaling group."""
        prefix = "k8s.io/cluster-autoscaler/node-template"
        return {
            **{f"{prefix}/label/{key}": value for key, value in self.labels.items()},
            **{f"{prefix}/resources/{key}": str(count) for key, count in self.resources.items()},
            f"{prefix}/taint/{STARTUP_TAINT}": f"{TAINT_VALUE}:{TAINT_EFFECT}",
        }

    def azure(self) -> dict[str, str]:
        """Tags of the virtual machine scale set."""
        return {key.replace("_", "~2").replace("/", "_"): value for key, value in self.aws().items()}

    def cluster_api(self) -> dict[str, str]:
        """Annotations of the MachineDeployment, MachineSet or MachinePool, for the most frequent resource: there is
        place for one.
        """
        prefix = "capacity.cluster-autoscaler.kubernetes.io"
        resource = max(self.resources, key=lambda name: self.resources[name])
        return {
            f"{prefix}/gpu-type": resource,
            f"{prefix}/gpu-count": str(self.resources[resource]),
            f"{prefix}/labels": ",".join(f"{key}={value}" for key, value in self.labels.items()),
            f"{prefix}/taints": f"{STARTUP_TAINT}={TAINT_VALUE}:{TAINT_EFFECT}",
        }

    def karpenter(self) -> dict[str, Any]:
        """A NodeOverlay for the NodePools whose nodes have these labels."""
        selected = {key: value for key, value in self.labels.items() if not key.startswith(_WRITTEN_LATER)}
        selected = selected or {"karpenter.sh/nodepool": "NODEPOOL"}
        return {
            "apiVersion": "karpenter.sh/v1alpha1",
            "kind": "NodeOverlay",
            "metadata": {"name": re.sub("[^a-z0-9]+", "-", f"mig-fleet-{self.pool}".lower()).strip("-")},
            "spec": {
                "requirements": [{"key": key, "operator": "In", "values": [word]} for key, word in selected.items()],
                "capacity": {key: str(count) for key, count in self.resources.items()},
            },
        }


def new_node(pool: FleetPool, fleet: Fleet) -> NewNode | None:
    """None for a pool that lists its nodes, and with DRA: a new node has no resource that a pod requests."""
    if pool.settings.selector is None or fleet.allocation is AllocatedBy.DRA:
        return None
    offered = summary.capacity(summary.of_one_node(pool, fleet))
    labels = dict(sorted(pool.settings.selector.match_labels.items()))
    return NewNode(pool.name, labels, dict(sorted({GPU_RESOURCE: 0, **offered}.items())), pool.layout.config_name)
