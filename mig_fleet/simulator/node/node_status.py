"""The status that a kubelet writes to its Node: all of it at registration, later changes as merge patches."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

from mig_fleet.simulator import operating_system
from mig_fleet.simulator.api import Json
from mig_fleet.simulator.fleet_file import NodeSpec
from mig_fleet.simulator.node.condition import condition

KUBELET_VERSION: Final = "v1.37.2"
STREAMS_OVER_WEBSOCKETS: Final = "ExtendWebSocketsToKubelet"
"""To nodes that declare this feature the API server forwards `kubectl exec` as a WebSocket; to all others it translates
it to SPDY (kubernetes 1.37, pkg/registry/core/pod/rest/subresources.go)."""

HEALTHY: Final = ("KubeletReady", "kubelet is posting ready status")
RUNTIME_NOT_READY: Final = ("KubeletNotReady", "PLEG is not healthy: pleg was last seen active 3m0s ago")


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """The part that changes: resources under ``nvidia.com/`` as quantities, readiness, boot id."""

    resources: Mapping[str, str]
    ready: bool
    boot_id: str

    @classmethod
    def of(cls, node: Json) -> Self:
        """The status in a Node object."""
        status = node["status"]
        ready = {each["type"]: each["status"] for each in status.get("conditions") or []}.get("Ready", "True")
        offered = {name: value for name, value in _allocatable(status).items() if name.startswith("nvidia.com/")}
        return cls(offered, ready == "True", status.get("nodeInfo", {}).get("bootID", ""))

    def offering(self, resources: Mapping[str, int]) -> Self:
        """The same node with other resources; a removed resource stays at "0", as on a real kubelet."""
        kept = dict.fromkeys(self.resources, "0")
        return replace(self, resources={**kept, **{name: str(count) for name, count in resources.items()}})

    def patch(self, before: "NodeStatus") -> Json:
        """The merge patch from ``before`` to this status."""
        status: Json = {}
        if self.resources != before.resources:
            status |= {"capacity": self.resources, "allocatable": self.resources}
        if self.ready != before.ready:
            status["conditions"] = _conditions(self.ready)
        if self.boot_id != before.boot_id:
            status["nodeInfo"] = {"bootID": self.boot_id}
        return {"status": status}


def new_node(spec: NodeSpec, port: int, boot_id: str) -> Json:
    """A Node as its kubelet registers it: Ready, without NVIDIA's resources and labels.

    ``port`` is where the API server reaches the kubelet.
    """
    memory = f"{spec.memory_gib * 1024 * 1024}Ki"
    capacity = {"cpu": str(spec.cpu), "memory": memory, "ephemeral-storage": "6500Gi", "pods": "110"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": spec.name, "labels": _labels(spec)},
        "spec": {"taints": spec.taints},
        "status": {
            "capacity": capacity,
            "allocatable": capacity,
            "conditions": _conditions(ready=True),
            "addresses": [
                {"type": "InternalIP", "address": "127.0.0.1"},
                {"type": "Hostname", "address": spec.name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "declaredFeatures": [STREAMS_OVER_WEBSOCKETS],
            "nodeInfo": {
                "kubeletVersion": KUBELET_VERSION,
                "containerRuntimeVersion": "containerd://2.1.4",
                "osImage": operating_system.NAME,
                "kernelVersion": operating_system.KERNEL,
                "operatingSystem": "linux",
                "architecture": "amd64",
                "machineID": "",
                "systemUUID": "",
                "bootID": boot_id,
                "kubeProxyVersion": "",
            },
        },
    }


def _labels(spec: NodeSpec) -> dict[str, str]:
    """The kubelet's own labels, and those of the machine's pool."""
    return {
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux",
        "kubernetes.io/hostname": spec.name,
        **spec.labels,
    }


def _conditions(ready: bool) -> list[Json]:
    reason, message = HEALTHY if ready else RUNTIME_NOT_READY
    pressures = ("MemoryPressure", "DiskPressure", "PIDPressure")
    return [
        condition("Ready", ready, reason=reason, message=message),
        *(condition(kind, False, reason="KubeletHasNo" + kind) for kind in pressures),
    ]


def _allocatable(status: Json) -> Mapping[str, str]:
    found: Mapping[str, str] = status.get("allocatable") or {}
    return found
