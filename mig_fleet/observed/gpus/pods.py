"""The users' pods with GPU resources: where they run, what they hold, which controller owns them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mig_fleet.cluster.connection import Json
from mig_fleet.cluster.quantities import parse_count
from mig_fleet.model import labels

LISTED_PODS = 5


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
    created: datetime | None = field(default=None, compare=False)
    """When the control plane created it and bound it to its node, in whole seconds: the kubelet allocates later."""
    labels: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def is_of_daemon_set(self) -> bool:
        return self.owner.startswith("DaemonSet ")

    def __str__(self) -> str:
        held = ", ".join(f"{n}x {name.removeprefix('nvidia.com/')}" for name, n in sorted(self.resources.items()))
        return f"{self.namespace}/{self.name} ({self.owner or 'no owner'}) holds {held}"


def gpu_pods(pods: Iterable[Json], operator_namespace: str) -> list[GpuPod]:
    """The users' pods with GPU resources, by node and name; pods in the operator's namespace are left out."""
    return sorted(
        GpuPod(
            node=pod["spec"].get("nodeName", ""),
            namespace=pod["metadata"]["namespace"],
            name=pod["metadata"]["name"],
            owner=_owner(pod["metadata"]),
            resources=resources,
            terminating="deletionTimestamp" in pod["metadata"],
            created=_bound_at(pod),
            labels=pod["metadata"].get("labels") or {},
        )
        for pod in pods
        if pod["metadata"]["namespace"] != operator_namespace
        and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
        and (resources := _resources(pod["spec"]))
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


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _resources(spec: Json) -> dict[str, int]:
    """The sum of the containers' limits, or the largest init container's, as the scheduler counts them."""
    total: Counter[str] = Counter()
    for container in spec.get("containers", []):
        total.update(_limits(container))
    for container in spec.get("initContainers", []):
        total |= _limits(container)
    return dict(total)


def _limits(container: Json) -> Counter[str]:
    """GPUs and slices, without zeros."""
    limits: Json = container.get("resources", {}).get("limits") or {}
    return +Counter({name: parse_count(number) for name, number in limits.items() if labels.is_gpu_request(name)})


def _owner(metadata: Json) -> str:
    """The controller; a ReplicaSet is named after its Deployment and the hash of its template."""
    owner = next((o for o in metadata.get("ownerReferences") or [] if o.get("controller")), None)
    if owner is None:
        return ""
    suffix = "-" + (metadata.get("labels") or {}).get("pod-template-hash", "")
    if owner["kind"] == "ReplicaSet" and len(suffix) > 1 and owner["name"].endswith(suffix):
        return f"Deployment {owner['name'].removesuffix(suffix)}"
    return f"{owner['kind']} {owner['name']}"


def _bound_at(pod: Json) -> datetime | None:
    """A pod may wait for long before it gets a node, while reports still show an earlier pod of its name."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    scheduled = (it.get("lastTransitionTime") for it in conditions if it.get("type") == "PodScheduled")
    texts = (pod["metadata"].get("creationTimestamp"), *scheduled)
    return max((time for text in texts if (time := _time(text)) is not None), default=None)
