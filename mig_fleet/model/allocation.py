"""Which pod of a node has which slice, as the node's kubelet allocated it."""

from collections.abc import Iterable
from dataclasses import dataclass

from mig_fleet.model.reading import Reader

POD_RESOURCES = "/var/lib/kubelet/pod-resources"
"""The folder with the socket of the kubelet's PodResources API, which tells monitoring agents what pods have
(https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/device-plugins/)."""

NOT_ASKED = "the probe was not asked to read the kubelet's allocations (probe.podResources)"
NVML_INCOMPLETE = "NVML was not read completely"
"""Why a report has no allocations."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """One device that the kubelet allocated to a container of a pod.

    ``gpu`` is the NVML index; None if NVML has no such device, because the kubelet's answer is stale or wrong.
    ``gpu_instance_id`` is None with a ``gpu`` for the whole GPU. A pod appears once for each of its devices. It may be
    gone: kubelets before Kubernetes 1.34 list pods that have ended (kubernetes#119423, #132020).
    """

    namespace: str
    pod: str
    resource: str
    gpu: int | None
    gpu_instance_id: int | None
    compute_instance_id: int | None

    @property
    def device(self) -> str:
        """``GPU 0``, ``GPU 0, GPU instance 3``, or ``a device that NVML does not have``."""
        if self.gpu is None:
            return "a device that NVML does not have"
        if self.gpu_instance_id is None:
            return f"GPU {self.gpu}"
        part = f", compute instance {self.compute_instance_id}" if self.compute_instance_id else ""
        return f"GPU {self.gpu}, GPU instance {self.gpu_instance_id}{part}"

    def __str__(self) -> str:
        return f"{self.namespace}/{self.pod} has {self.resource} on {self.device}"


def sort_allocations(allocations: Iterable[Allocation]) -> tuple[Allocation, ...]:
    """By device, then by pod: an unchanged node gives an unchanged report."""

    def key(it: Allocation) -> tuple[object, ...]:
        numbers = (it.gpu, it.gpu_instance_id, it.compute_instance_id)
        return (*(-1 if number is None else number for number in numbers), it.namespace, it.pod, it.resource)

    return tuple(sorted(allocations, key=key))


def format_allocations(allocations: Iterable[Allocation]) -> list[str]:
    """A sentence for each device, in the order of :func:`sort_allocations`."""
    return [str(allocation) for allocation in sort_allocations(allocations)]


def read_allocation(data: Reader) -> Allocation:
    """One entry of a report, as strict as the rest of it."""
    return data.close(
        Allocation(
            namespace=data.take("namespace", str),
            pod=data.take("pod", str),
            resource=data.take("resource", str),
            gpu=data.take_nullable("gpu", int),
            gpu_instance_id=data.take_nullable("gpu_instance_id", int),
            compute_instance_id=data.take_nullable("compute_instance_id", int),
        )
    )
