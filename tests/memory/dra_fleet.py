"""The fleet in memory with NVIDIA's DRA driver in the place of the device plugin, and pods that claim slices.

The driver's plugin reads the GPUs of its node once, when its pod starts, and what it has published stays.
"""

from collections.abc import Mapping
from typing import Any

from mig_fleet.cluster.connection import Json
from mig_fleet.model.allocated_by import DRA_NAMESPACE, AllocatedBy, device_class
from mig_fleet.model.layouts import Layout
from mig_fleet.model.strategy import Strategy
from mig_fleet.observed.expected import Expected
from mig_fleet.observed.operands import DRA_PLUGIN
from tests.memory.api import copied
from tests.memory.fleet import DENSE, GPUS_PER_NODE, Fleet
from tests.memory.wave import Props, a_wave
from tests.observed.dra_objects import a_claim, a_slice, an_open_claim

PLUGIN_POD = "dra-plugin"
API = "/apis/resource.k8s.io/v1/"


class DraFleet(Fleet):
    """Nodes whose slices pods claim."""

    def __init__(self, *names: str) -> None:
        self.published: dict[str, list[Json]] = {}
        """Node → the devices in its ResourceSlice."""
        self.claims: dict[str, Json] = {}
        """ResourceClaims by their names."""
        super().__init__(*names)

    def add(self, name: str, config: str = "all-disabled") -> None:
        super().add(name, config)
        self.start_plugin(name)

    def register(self, name: str) -> None:
        """No device plugin runs."""
        self.nodes[name]["status"]["allocatable"] = {}

    def start_plugin(self, node: str) -> None:
        """The driver's plugin starts on a node, and publishes what NVML has then."""
        key, value = DRA_PLUGIN
        name = f"{PLUGIN_POD}--{node}--{next(self._numbers)}"
        metadata = {"name": name, "namespace": DRA_NAMESPACE, "uid": self.new_uid(), "labels": {key: value}}
        self.pods[DRA_NAMESPACE, name] = {"metadata": metadata, "spec": {"nodeName": node}, "status": {}}
        self.publish(node)

    def publish(self, node: str, **changes: Any) -> None:
        """``changes`` are fields of each MIG device."""
        self.published[node] = [
            device
            for index, profiles in enumerate(self.per_gpu[node])
            for device in ([_gpu(index)] if profiles is None else _slices(index, profiles, changes))
        ]

    def stop_plugin(self, node: str) -> None:
        """Its DaemonSet has no pod there; what was published stays."""
        del self.pods[self.plugin(node)]

    def plugin(self, node: str) -> tuple[str, str]:
        return next(key for key in self.pods if key[1].startswith(f"{PLUGIN_POD}--{node}--"))

    def claiming_pod(self, name: str, node: str, device: str) -> None:
        """A Deployment's pod that claims one device of its node."""
        self.pod(name, node)
        pod = self.pods["team", name]
        pod["spec"]["containers"] = [{"name": "main", "resources": {"claims": [{"name": "slice"}]}}]
        self.claims[name] = a_claim(f"{name}-slice", node, [device], {name: pod["metadata"]["uid"]})

    def waiting_pod(self, name: str, *profiles: str, message: str = "") -> None:
        """A Deployment's pod that is not scheduled, with a claim for these slices; ``message`` is the scheduler's."""
        self.pod(name)
        pod = self.pods["team", name]
        pod["spec"]["containers"] = [{"name": "main", "resources": {"claims": [{"name": "slice"}]}}]
        pod["spec"]["resourceClaims"] = [{"name": "slice", "resourceClaimTemplateName": "slices"}]
        pod["status"]["resourceClaimStatuses"] = [{"name": "slice", "resourceClaimName": f"{name}-slice"}]
        if message:
            pod["status"]["conditions"] = [{"type": "PodScheduled", "status": "False", "message": message}]
        requests = [{"name": "r", "exactly": {"deviceClassName": device_class(profile)}} for profile in profiles]
        self.claims[name] = an_open_claim(f"{name}-slice", *requests)

    def allocate(self, name: str, node: str, device: str) -> None:
        """The scheduler gives a device to a pod that waits, and binds the pod to its node."""
        pod = self.pods["team", name]
        pod["spec"]["nodeName"], pod["status"]["phase"] = node, "Running"
        self.claims[name] |= a_claim(f"{name}-slice", node, [device], {name: pod["metadata"]["uid"]})

    def pod_deleted(self, namespace: str, pod: Json) -> None:
        if namespace == DRA_NAMESPACE:
            self.clock.after(1, lambda: self.start_plugin(pod["spec"]["nodeName"]))
        super().pod_deleted(namespace, pod)

    def _handle(self, method: str, path: str, query: Mapping[str, str], body: Json) -> Json:
        if method == "GET" and path == f"{API}resourceslices":
            return {"items": [a_slice(node, devices) for node, devices in sorted(self.published.items())]}
        if method == "GET" and path == f"{API}resourceclaims":
            return {"items": [copied(claim) for claim in self.claims.values()]}
        return super()._handle(method, path, query, body)


def a_dra_wave(*nodes: str, layout: Layout = DENSE, **changes: Any) -> Props:
    """A wave whose slices pods claim; its nodes are cordoned, as those of a stack with DRA are."""
    expected = Expected.of_layout(layout, GPUS_PER_NODE, Strategy.MIXED, AllocatedBy.DRA)
    fields = {"expected": expected, "dra_namespace": DRA_NAMESPACE, "isolation": "cordon"}
    return a_wave(*nodes, **{**fields, **changes})


def _gpu(index: int) -> Json:
    attributes = {"type": {"string": "gpu"}, "uuid": {"string": f"GPU-{index}"}}
    return {"name": f"gpu-{index}", "attributes": attributes}


def _slices(index: int, profiles: Mapping[str, int], changes: Mapping[str, Any]) -> list[Json]:
    """At the places that the reports of the fleet in memory have."""
    names = [name for name, n in profiles.items() for _ in range(n)]
    return [
        {
            "name": f"gpu-{index}-mig-{name.replace('.', '')}-19-{start}",
            "attributes": {
                "type": {"string": "mig"},
                "profile": {"string": name},
                "parentUUID": {"string": f"GPU-{index}"},
                "uuid": {"string": f"MIG-{index}-{start}"},
            },
            "capacity": {f"memorySlice{start}": {"value": "1"}},
            **changes,
        }
        for start, name in enumerate(names)
    ]
