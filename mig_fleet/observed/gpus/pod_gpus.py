"""Which GPUs a user's pod has, by its ResourceClaims or by the kubelet's allocations in the report, and which pods a
change affects. Pure.

The kubelet may list a pod that is gone (kubernetes#137010), and a StatefulSet's new pod has the name of the old one. So
the pods are the API server's, and the report counts for a pod only if it was written after the pod was created, and has
exactly the devices that the pod requests. Otherwise the pod counts as affected: it is better to move a pod too many
than one too few.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from mig_fleet.model import labels
from mig_fleet.model.formatting import format_ranges
from mig_fleet.model.report import Allocation, Report
from mig_fleet.observed.gpus.affected import AffectedGpus
from mig_fleet.observed.gpus.pods import LISTED_PODS, GpuPod
from mig_fleet.observed.snapshot import Node

NEWER_POD = "GPU not known yet: the pod is newer than the report, and the next one is due within a minute"
NO_ALLOCATION = "GPU not known: the kubelet has not reported which GPU the pod uses"
OTHER_DEVICES = "GPU not known: the kubelet reports other devices than the pod requests"
NO_SUCH_DEVICE = "GPU not known: the kubelet reports a device that NVML does not have"
UNPUBLISHED = "GPU not known: its claim has a device that NVIDIA's DRA driver does not publish any more"
NO_ALLOCATIONS = "GPU not known: the probe does not report which pod has which GPU"


@dataclass(frozen=True, slots=True)
class PodGpus:
    """The GPUs of one pod, or why they are not known."""

    indexes: frozenset[int] = frozenset()
    unknown: str = ""

    @property
    def awaits_report(self) -> bool:
        """Whether the probe's next report may show them."""
        return self.unknown in (NEWER_POD, NO_ALLOCATION)

    def __str__(self) -> str:
        return f"on GPU {format_ranges(self.indexes)}" if self.indexes else ""


@dataclass(frozen=True, slots=True)
class AffectedPod:
    """A pod that loses slices in a change, or may lose them."""

    pod: GpuPod
    gpus: PodGpus
    every_gpu: bool
    """Whether all GPUs of the node are affected, so that it does not matter which one the pod has."""

    @property
    def reason(self) -> str:
        """Why it counts although it may be on another GPU; empty if it is on an affected one."""
        return "" if self.every_gpu else self.gpus.unknown

    def __str__(self) -> str:
        return f"{self.with_gpu} ({self.reason})" if self.reason else self.with_gpu

    @property
    def with_gpu(self) -> str:
        """Names the GPU only where others are not affected."""
        return str(self.pod) if self.every_gpu else f"{self.pod} {self.gpus}".strip()


def affected_pods(node: Node | None, pods: Iterable[GpuPod], affected: AffectedGpus) -> list[AffectedPod]:
    """Those of the node's pods that lose slices, or may lose them; in the order of ``pods``."""
    if affected.nothing:
        return []
    found = [AffectedPod(pod, gpus_of(pod, node), affected.every_gpu) for pod in pods]
    return [it for it in found if it.every_gpu or it.gpus.unknown or it.gpus.indexes & affected.indexes]


def gpus_of(pod: GpuPod, node: Node | None) -> PodGpus:
    """The GPUs of a pod: those of its ResourceClaims, or those that the kubelet allocated to it by the report of its
    node.
    """
    report = node.report if node else None
    if pod.devices:
        return _claimed(pod, report)
    if node is None or report is None or report.allocations is None:
        why = f": {report.allocations_error}" if report and report.allocations_error else ""
        return PodGpus(unknown=NO_ALLOCATIONS + why)
    if pod.created is None or node.report_written is None or node.report_written <= pod.created:
        return PodGpus(unknown=NEWER_POD)
    of_pod = [it for it in report.allocations if (it.namespace, it.pod) == (pod.namespace, pod.name)]
    devices = [it for it in of_pod if labels.is_gpu_request(it.resource)]
    if not devices:
        return PodGpus(unknown=NO_ALLOCATION)
    if Counter(it.resource for it in devices) != Counter(pod.resources):
        return PodGpus(unknown=OTHER_DEVICES)
    if not all(_exists(it, report) for it in devices):
        return PodGpus(unknown=NO_SUCH_DEVICE)
    return PodGpus(frozenset(it.gpu for it in devices if it.gpu is not None))


def format_affected(found: Iterable[AffectedPod]) -> str:
    """The first :data:`~mig_fleet.observed.gpu_pods.LISTED_PODS` pods, and how many more there are; a reason that
    several have is written once, after the last of them.
    """
    ordered = sorted(found, key=lambda it: (it.reason, it.pod))
    listed = ordered[:LISTED_PODS]
    last = {it.reason: it for it in listed}
    texts = [str(it) if last[it.reason] is it else it.with_gpu for it in listed]
    more = len(ordered) - LISTED_PODS
    return "; ".join(texts) + (f"; and {more} more" if more > 0 else "")


def _claimed(pod: GpuPod, report: Report | None) -> PodGpus:
    indexes = {gpu.uuid: gpu.index for gpu in report.gpus} if report else {}
    found = [indexes.get(it.device.gpu_uuid) if it.device else None for it in pod.devices]
    known = frozenset(index for index in found if index is not None)
    return PodGpus(known) if None not in found else PodGpus(unknown=UNPUBLISHED)


def _exists(device: Allocation, report: Report) -> bool:
    """Whether NVML has the device now."""
    gpu = next((gpu for gpu in report.gpus if gpu.index == device.gpu), None)
    if gpu is None or device.gpu_instance_id is None:
        return gpu is not None
    return device.gpu_instance_id in {instance.gpu_instance_id for instance in gpu.instances}
