"""Who holds slices: the users' pods on a node, what they hold, and to whom they belong."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mig_fleet.cluster.connection import Json
from mig_fleet.cluster.quantities import whole
from mig_fleet.model import labels


@dataclass(frozen=True, order=True)
class Holder:
    """A user's pod that was given GPUs or slices, or waits for some."""

    node: str
    """Empty while no node was found for it."""
    namespace: str
    name: str
    owner: str
    """``Deployment web``; empty for a pod that nobody would start again."""
    resources: Mapping[str, int] = field(compare=False)
    """Extended resource → how many."""
    leaving: bool = False

    @property
    def of_daemon_set(self) -> bool:
        return self.owner.startswith("DaemonSet ")

    def __str__(self) -> str:
        held = ", ".join(f"{n}x {name.removeprefix('nvidia.com/')}" for name, n in sorted(self.resources.items()))
        return f"{self.namespace}/{self.name} ({self.owner or 'no owner'}) holds {held}"


def holders(pods: Iterable[Json], operator_namespace: str) -> list[Holder]:
    """The users' pods with GPU resources, by node and name; the operator's own validators are none of them."""
    return sorted(
        Holder(
            node=pod["spec"].get("nodeName", ""),
            namespace=pod["metadata"]["namespace"],
            name=pod["metadata"]["name"],
            owner=_owner(pod["metadata"]),
            resources=resources,
            leaving="deletionTimestamp" in pod["metadata"],
        )
        for pod in pods
        if pod["metadata"]["namespace"] != operator_namespace
        and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
        and (resources := _resources(pod["spec"]))
    )


def _resources(spec: Json) -> dict[str, int]:
    """Limits of all containers together, or of the init container that asks for more, as the scheduler counts them."""
    together: Counter[str] = Counter()
    for container in spec.get("containers", []):
        together.update(_limits(container))
    for container in spec.get("initContainers", []):
        together |= _limits(container)
    return dict(together)


def _limits(container: Json) -> Counter[str]:
    """GPUs and slices, those of which it asks for none left out."""
    limits: Json = container.get("resources", {}).get("limits") or {}
    return +Counter({name: whole(number) for name, number in limits.items() if _is_gpu(name)})


def _is_gpu(resource: str) -> bool:
    """Time-sliced ones are called ``nvidia.com/gpu.shared``."""
    return resource == labels.GPU_RESOURCE or resource.startswith((labels.RESOURCE_PREFIX, f"{labels.GPU_RESOURCE}."))


def _owner(metadata: Json) -> str:
    """A ReplicaSet is named after its Deployment and the hash of its template."""
    owner = next((o for o in metadata.get("ownerReferences") or [] if o.get("controller")), None)
    if owner is None:
        return ""
    suffix = "-" + (metadata.get("labels") or {}).get("pod-template-hash", "")
    if owner["kind"] == "ReplicaSet" and len(suffix) > 1 and owner["name"].endswith(suffix):
        return f"Deployment {owner['name'].removesuffix(suffix)}"
    return f"{owner['kind']} {owner['name']}"
