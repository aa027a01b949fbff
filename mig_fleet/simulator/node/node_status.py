"""The status a kubelet writes of its node: at birth, and what changes in its life as a merge patch."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

from mig_fleet.simulator.api import Json
from mig_fleet.simulator.fleet_file import NodeSpec
from mig_fleet.simulator.node.condition import condition
from mig_fleet.simulator.node.feature_discovery import node_features

KUBELET_VERSION: Final = "v1.37.2"
STREAMS_OVER_WEBSOCKETS: Final = "ExtendWebSocketsToKubelet"
"""The API server passes `kubectl exec` on as it comes to nodes that declare this, and translates it to SPDY for all
others (kubernetes 1.37, pkg/registry/core/pod/rest/subresources.go)."""

HEALTHY: Final = ("KubeletReady", "kubelet is posting ready status")
SILENT_RUNTIME: Final = ("KubeletNotReady", "PLEG is not healthy: pleg was last seen active 3m0s ago")


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """The part that changes: resources under ``nvidia.com/`` as quantities, readiness, the boot's id."""

    resources: Mapping[str, str]
    ready: bool
    boot_id: str

    @classmethod
    def of(cls, node: Json) -> Self:
        """As a Node object says."""
        status = node["status"]
        ready = {each["type"]: each["status"] for each in status.get("conditions") or []}.get("Ready", "True")
        offered = {name: value for name, value in _allocatable(status).items() if name.startswith("nvidia.com/")}
        return cls(offered, ready == "True", status.get("nodeInfo", {}).get("bootID", ""))

    def offering(self, resources: Mapping[str, int]) -> Self:
        """The same node with other resources; what vanished stays at "0", as kubelets keep it."""
        kept = dict.fromkeys(self.resources, "0")
        return replace(self, resources={**kept, **{name: str(count) for name, count in resources.items()}})

    def patch(self, before: "NodeStatus") -> Json:
        """What turns ``before`` into this."""
        status: Json = {}
        if self.resources != before.resources:
            status |= {"capacity": self.resources, "allocatable": self.resources}
        if self.ready != before.ready:
            status["conditions"] = _conditions(self.ready)
        if self.boot_id != before.boot_id:
            status["nodeInfo"] = {"bootID": self.boot_id}
        return {"status": status}


def new_node(spec: NodeSpec, port: int, boot_id: str) -> Json:
    """A Node as its kubelet registers it, Ready and with nothing of NVIDIA's on it yet."""
    memory = f"{spec.memory_gib * 1024 * 1024}Ki"
    room = {"cpu": str(spec.cpu), "memory": memory, "ephemeral-storage": "6500Gi", "pods": "110"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": spec.name, "labels": node_features(spec)},
        "status": {
            "capacity": room,
            "allocatable": room,
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
                "osImage": "Ubuntu 24.04.3 LTS",
                "kernelVersion": "6.8.0-85-generic",
                "operatingSystem": "linux",
                "architecture": "amd64",
                "machineID": "",
                "systemUUID": "",
                "bootID": boot_id,
                "kubeProxyVersion": "",
            },
        },
    }


def _conditions(ready: bool) -> list[Json]:
    reason, message = HEALTHY if ready else SILENT_RUNTIME
    bad = ("MemoryPressure", "DiskPressure", "PIDPressure")
    return [
        condition("Ready", ready, reason=reason, message=message),
        *(condition(kind, False, reason="KubeletHasNo" + kind) for kind in bad),
    ]


def _allocatable(status: Json) -> Mapping[str, str]:
    found: Mapping[str, str] = status.get("allocatable") or {}
    return found
