"""The messages of the kubelet's PodResources API, with Google's protobuf runtime.

From k8s.io/kubelet at 63b3249724f7, pkg/apis/podresources/v1/api.proto.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "v1.PodResourcesLister"
MESSAGES = {
    "ListPodResourcesResponse": {1: "*PodResources pod_resources"},
    "PodResources": {
        1: "string name",
        2: "string namespace",
        3: "*ContainerResources containers",
        4: "*int64 cpu_ids",
        5: "*ContainerMemory memory",
    },
    "ContainerResources": {
        1: "string name",
        2: "*ContainerDevices devices",
        3: "*int64 cpu_ids",
        4: "*ContainerMemory memory",
        5: "*DynamicResource dynamic_resources",
    },
    "ContainerMemory": {1: "string memory_type", 2: "uint64 size", 3: "TopologyInfo topology"},
    "ContainerDevices": {1: "string resource_name", 2: "*string device_ids", 3: "TopologyInfo topology"},
    "TopologyInfo": {1: "*NUMANode nodes"},
    "NUMANode": {1: "int64 ID"},
    "DynamicResource": {2: "string claim_name", 3: "string claim_namespace"},
}
"""Message → number of a field → type and name; ``*`` marks a repeated field."""

TYPES = {"string": 9, "int64": 3, "uint64": 4}
MESSAGE_TYPE, REPEATED, OPTIONAL = 11, 3, 1

DeviceGroups = Mapping[str, list[str]]
"""Resource → device IDs."""


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="api.proto", package="v1", syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, declaration in fields.items():
            kind, field_name = declaration.lstrip("*").split()
            field = message.field.add(name=field_name, number=number, type=TYPES.get(kind, MESSAGE_TYPE))
            field.label = REPEATED if declaration.startswith("*") else OPTIONAL
            if kind not in TYPES:
                field.type_name = f".v1.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"v1.{name}")) for name in MESSAGES}


CLASSES = _classes()


def answer(pods: Mapping[str, DeviceGroups | None]) -> bytes:
    """A ``ListPodResourcesResponse``: ``namespace/pod`` → its devices; None for a pod without devices."""
    found = CLASSES["ListPodResourcesResponse"]()
    for path, groups in pods.items():
        namespace, name = path.split("/")
        pod = found.pod_resources.add(name=name, namespace=namespace, cpu_ids=[1, 300])
        container = pod.containers.add(name="main", cpu_ids=[1])
        container.memory.add(memory_type="memory", size=2**40).topology.nodes.add(ID=1)
        container.dynamic_resources.add(claim_name="a-claim")
        for resource, ids in (groups or {}).items():
            devices = container.devices.add(resource_name=resource, device_ids=ids)
            devices.topology.nodes.add(ID=0)
    return bytes(found.SerializeToString())
