"""What a node offers to pods, by its kubelet or by its DRA driver. Pure."""

from collections import Counter
from collections.abc import Mapping

from mig_fleet.model.dra.device import GPU, MIG
from mig_fleet.observed.snapshot import Node


def offers_of(node: Node) -> Mapping[str, int]:
    """Extended resource → how many the node has. Devices that NVIDIA's DRA driver publishes count under the names that
    the device plugin would give them, and those of other types not at all: the driver may publish a GPU as such a one,
    too. Other resources are the kubelet's.
    """
    if node.published is None:
        return node.allocatable
    devices = Counter(device.resource for device in node.published.devices if device.type in (GPU, MIG))
    others = {name: n for name, n in node.allocatable.items() if name not in devices}
    return {**others, **devices}
