"""What the kubelet's PodResources API lists: the pods of a node and their devices, or what a fault makes of them."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from mig_fleet.simulator.faults import Fault
from mig_fleet.simulator.node.allocation import Devices
from mig_fleet.simulator.node.pod import Pod


@dataclass(frozen=True, slots=True)
class PodDevices:
    """A pod with the devices of its first container, the only one that the simulator plays."""

    namespace: str
    name: str
    container: str
    devices: Devices


class PodResources:
    """The kubelet's memory of what it allocated. ``faults`` are those of the node at the moment."""

    def __init__(self, faults: Callable[[], frozenset[Fault]]) -> None:
        self._faults = faults
        self._pods: dict[str, PodDevices] = {}
        self._gone: list[PodDevices] = []

    @contextmanager
    def recorded(self, pod: Pod, devices: Devices) -> Iterator[None]:
        """List the pod for the length of the ``with`` block."""
        entry = PodDevices(pod.namespace, pod.name, str(pod.first_container["name"]), devices)
        self._pods[pod.uid] = entry
        try:
            yield
        finally:
            del self._pods[pod.uid]
            if Fault.POD_RESOURCES_GONE_PODS in self._faults():
                self._gone.append(entry)

    def list(self) -> tuple[PodDevices, ...] | None:
        """The answer; None if the kubelet gives none."""
        faults = self._faults()
        if Fault.POD_RESOURCES_SILENT in faults:
            return None
        if Fault.POD_RESOURCES_GONE_PODS not in faults:
            self._gone.clear()
        pods = (*self._pods.values(), *self._gone)
        return tuple(map(_with_stale_ids, pods)) if Fault.POD_RESOURCES_STALE in faults else pods


def _with_stale_ids(pod: PodDevices) -> PodDevices:
    stale = tuple((resource, f"MIG-{uuid.uuid5(uuid.NAMESPACE_OID, found)}") for resource, found in pod.devices)
    return replace(pod, devices=stale)
