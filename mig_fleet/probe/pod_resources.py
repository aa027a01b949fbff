"""Which pod has which GPU or slice: asks the kubelet of this node by its PodResources API.

The API is ``v1.PodResourcesLister`` (k8s.io/kubelet, pkg/apis/podresources/v1/api.proto), which only reads. Its socket
is the only one in its folder. The kubelet's checkpoint of devices has the same facts, but its folder also has the
socket by which device plugins register with the kubelet.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from mig_fleet.model.allocation import POD_RESOURCES, Allocation, sort_allocations
from mig_fleet.model.labels import is_gpu_request
from mig_fleet.probe import protobuf
from mig_fleet.probe.device_ids import DeviceIds
from mig_fleet.probe.grpc_call import CallFailed, call

SOCKET = "kubelet.sock"
METHOD = "/v1.PodResourcesLister/List"
TIMEOUT_S = 2.0
MAX_BYTES = 4 * 2**20
"""gRPC's own bound for an answer. A pod takes some hundred bytes."""
MAX_ALLOCATIONS = 1000
"""A ConfigMap has room for so many with the longest names. A node has at most some hundred pods."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,252}")
"""Of a pod, a namespace or a resource of NVIDIA; a report must not become longer than a ConfigMap may be."""

# Numbers of the fields in api.proto.
RESPONSE_PODS = 1
POD_NAME, POD_NAMESPACE, POD_CONTAINERS = 1, 2, 3
CONTAINER_DEVICES = 2
DEVICES_RESOURCE, DEVICES_IDS = 1, 2


@dataclass(frozen=True, slots=True)
class Kubelet:
    """The kubelet of this node; ``folder`` has its socket."""

    folder: Path = Path(POD_RESOURCES)

    def allocations(self, devices: DeviceIds) -> tuple[tuple[Allocation, ...] | None, str]:
        """What the kubelet allocated, sorted, or None and the reason in one sentence. It takes seconds at most.

        The pods may be gone. A pod that the kubelet has not admitted yet, or that has its GPU in an init container
        only, is not in the list.
        """
        path = self.folder / SOCKET
        if devices.error:
            return None, f"NVML did not list the MIG devices: {devices.error}"
        try:
            return decode(call(path, METHOD, TIMEOUT_S, MAX_BYTES), devices), ""
        except CallFailed as exc:
            return None, f"the kubelet did not answer on {path}: {exc}"
        except protobuf.InvalidMessage as exc:
            return None, f"the kubelet's answer on {path} cannot be read: {exc}"


def decode(answer: bytes, devices: DeviceIds) -> tuple[Allocation, ...]:
    """The allocations in a ``ListPodResourcesResponse``. Raises :class:`~mig_fleet.probe.protobuf.InvalidMessage`."""
    found = sort_allocations(islice(_allocations(answer, devices), MAX_ALLOCATIONS + 1))
    if len(found) > MAX_ALLOCATIONS:
        raise protobuf.InvalidMessage(f"it lists more than {MAX_ALLOCATIONS} GPU devices")
    return found


def _allocations(answer: bytes, devices: DeviceIds) -> Iterator[Allocation]:
    for pod in protobuf.messages(answer, RESPONSE_PODS):
        namespace, name = protobuf.text(pod, POD_NAMESPACE), protobuf.text(pod, POD_NAME)
        for container in protobuf.messages(pod, POD_CONTAINERS):
            for group in protobuf.messages(container, CONTAINER_DEVICES):
                resource = protobuf.text(group, DEVICES_RESOURCE)
                if not is_gpu_request(resource):
                    continue
                for device_id in protobuf.texts(group, DEVICES_IDS):
                    device = devices.find(device_id) or (None, None, None)
                    yield Allocation(_name(namespace), _name(name), _name(resource), *device)


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise protobuf.InvalidMessage(f"{text[:50]!r} is not a name")
    return text
