"""The users' pods with GPU resources: where they run, what they hold, which controller owns them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mig_fleet.cluster.connection import Json
from mig_fleet.cluster.quantities import RIGHT, parse_count
from mig_fleet.cluster.times import parse_time
from mig_fleet.foreign_text import printable
from mig_fleet.model import labels
from mig_fleet.observed.dra.awaited_slices import AwaitedSlices
from mig_fleet.observed.dra.claims import AWAITED, CLAIMED, ClaimedDevice
from mig_fleet.observed.operands import is_operand

LISTED_PODS = 5

MIRROR = "kubernetes.io/config.mirror"
"""Annotation of a static pod's copy in the API server (kubernetes pkg/kubelet/types/pod_update.go). `kubectl drain`
leaves such pods alone: their deletion does not stop the containers.
"""


@dataclass(frozen=True, order=True)
class GpuPod:
    """A user's pod that has GPUs or slices, or waits for some."""

    node: str
    """Empty while the pod is not scheduled."""
    namespace: str
    name: str
    owner: str
    """``Deployment web``; empty for a pod that no controller would create again."""
    resources: Mapping[str, int] = field(compare=False)
    """Extended resource → count."""
    terminating: bool = False
    uid: str = ""
    """Distinguishes it from an earlier or later pod of its name."""
    created: datetime | None = field(default=None, compare=False)
    """When the control plane created it and bound it to its node, in whole seconds: the kubelet allocates later."""
    labels: Mapping[str, str] = field(default_factory=dict, compare=False)
    tolerations: Sequence[Json] = field(default=(), compare=False)
    unreadable: tuple[str, ...] = field(default=(), compare=False)
    """Its requests whose number could not be read, each with what is right; they count as one."""
    devices: tuple[ClaimedDevice, ...] = field(default=(), compare=False)
    """The devices of its ResourceClaims; :attr:`resources` counts them, too."""

    @property
    def is_of_daemon_set(self) -> bool:
        return self.owner.startswith("DaemonSet ")

    @property
    def is_of_job(self) -> bool:
        return self.owner.startswith("Job ")

    @property
    def is_static(self) -> bool:
        """Whether its node's kubelet runs it from a file; the API server has a copy, the mirror pod."""
        return self.owner.startswith("Node ")

    def __str__(self) -> str:
        held = ", ".join(f"{n}x {name.removeprefix('nvidia.com/')}" for name, n in sorted(self.resources.items()))
        notes = "".join(f"; {text}" for text in self.unreadable)
        return f"{self.namespace}/{self.name} ({self.owner or 'no owner'}) holds {held}{notes}"


def gpu_pods(pods: Iterable[Json], operator_namespace: str) -> list[GpuPod]:
    """The users' pods with GPU resources, by node and name: those that request some, and those whose claims have
    devices or wait for some (:func:`~mig_fleet.observed.dra.claims.with_claims`). Of those in the operator's namespace
    NVIDIA's own are left out (:func:`~mig_fleet.observed.operands.is_operand`).
    """
    return sorted(
        GpuPod(
            node=pod["spec"].get("nodeName", ""),
            namespace=pod["metadata"]["namespace"],
            name=pod["metadata"]["name"],
            owner=_owner(pod),
            resources=resources,
            terminating="deletionTimestamp" in pod["metadata"],
            uid=pod["metadata"].get("uid", ""),
            created=_bound_at(pod),
            labels=pod["metadata"].get("labels") or {},
            tolerations=pod["spec"].get("tolerations") or (),
            unreadable=_unreadable(pod["spec"]),
            devices=devices,
        )
        for pod in pods
        if not (pod["metadata"]["namespace"] == operator_namespace and is_operand(pod))
        and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
        for devices in (pod.get(CLAIMED, ()),)
        if (resources := _resources(pod["spec"], devices, pod.get(AWAITED)))
    )


def by_node(found: Iterable[GpuPod]) -> dict[str, list[GpuPod]]:
    """Scheduled pods by the name of their node."""
    nodes: dict[str, list[GpuPod]] = {}
    for pod in found:
        if pod.node:
            nodes.setdefault(pod.node, []).append(pod)
    return nodes


def format_pods(found: Iterable[GpuPod]) -> str:
    """The first :data:`LISTED_PODS` pods, and how many more there are."""
    texts = [str(pod) for pod in found]
    more = len(texts) - LISTED_PODS
    return "; ".join(texts[:LISTED_PODS]) + (f"; and {more} more" if more > 0 else "")


def _resources(spec: Json, devices: Iterable[ClaimedDevice], awaited: AwaitedSlices | None) -> dict[str, int]:
    """What a pod requests, what its claims have, and what they wait for. For a resource that a DeviceClass stands for
    (its ``extendedResourceName``) the scheduler makes a claim itself, which is not counted twice.
    """
    found = Counter(_requested(spec)) | Counter(device.resource for device in devices)
    return dict(found + Counter(awaited.resources if awaited else ()))


def _requested(spec: Json) -> dict[str, int]:
    """What the scheduler counts: the containers and sidecars together, or an init container and the sidecars before it,
    whichever is more (Kubernetes KEP-753). A sidecar is an init container that runs as long as the pod.
    """
    sidecars: Counter[str] = Counter()
    most: Counter[str] = Counter()
    for container in spec.get("initContainers") or []:
        if container.get("restartPolicy") == "Always":
            sidecars += _limits(container)
        else:
            most |= sidecars + _limits(container)
    return dict(most | sum(map(_limits, spec.get("containers", [])), sidecars))


def _limits(container: Json) -> Counter[str]:
    """GPUs and slices, without zeros. A number that cannot be read counts as 1: the pod may have a GPU."""
    counts = ((name, parse_count(number)) for name, number in _requests(container))
    return +Counter({name: 1 if count is None else count for name, count in counts})


def _requests(container: Json) -> list[tuple[str, str]]:
    limits: Json = (container.get("resources") or {}).get("limits") or {}
    return [(printable(name), number) for name, number in limits.items() if labels.is_gpu_request(name)]


def _unreadable(spec: Json) -> tuple[str, ...]:
    containers = (*(spec.get("containers") or ()), *(spec.get("initContainers") or ()))
    found = [request for container in containers for request in _requests(container)]
    wrong = [(name, number) for name, number in found if parse_count(number) is None]
    return tuple(f"it requests '{printable(number)}' of {name}, which must be {RIGHT}" for name, number in wrong)


def _owner(pod: Json) -> str:
    """The controller; a ReplicaSet is named after its Deployment and the hash of its template. That of a static pod is
    its node.
    """
    metadata = pod["metadata"]
    if MIRROR in (metadata.get("annotations") or {}):
        return f"Node {pod['spec'].get('nodeName', '')}"
    owner = next((o for o in metadata.get("ownerReferences") or [] if o.get("controller")), None)
    if owner is None:
        return ""
    suffix = "-" + (metadata.get("labels") or {}).get("pod-template-hash", "")
    kind, name = (printable(owner.get(key, "")) for key in ("kind", "name"))
    if kind == "ReplicaSet" and len(suffix) > 1 and name.endswith(suffix):
        return f"Deployment {name.removesuffix(suffix)}"
    return f"{kind} {name}"


def _bound_at(pod: Json) -> datetime | None:
    """A pod may wait for long before it gets a node, while reports still show an earlier pod of its name. ``None`` if
    one of its times cannot be read.
    """
    conditions = (pod.get("status") or {}).get("conditions") or ()
    scheduled = (it.get("lastTransitionTime") for it in conditions if it.get("type") == "PodScheduled")
    texts = filter(None, (pod["metadata"].get("creationTimestamp"), *scheduled))
    times = [parse_time(text) for text in texts]
    known = [time for time in times if time is not None]
    return max(known) if known and len(known) == len(times) else None
