"""The series of kube-state-metrics 2.20 (docs/metrics/cluster/node-metrics.md, docs/metrics/workload/pod-metrics.md).

Only the families that monitoring of GPUs uses. Labels and annotations of nodes are exported only if they are on an
allowlist; without one their families do not exist.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mig_fleet.simulator.api import Json
from mig_fleet.simulator.telemetry.exposition import Family, Sample

PHASES: Final = ("Pending", "Succeeded", "Failed", "Unknown", "Running")
UNITS: Final = {"cpu": "core", "memory": "byte", "ephemeral-storage": "byte"}
SUFFIXES: Final = {"m": 1e-3, "": 1.0, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}

_Samples = Callable[[Json], Iterator[Sample]]


@dataclass(frozen=True, slots=True)
class Allowlists:
    """The keys of nodes that it exports; ``*`` is all of them."""

    labels: frozenset[str] = frozenset()
    annotations: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, labels: str, annotations: str) -> "Allowlists":
        """From the values of ``--metric-labels-allowlist`` and ``--metric-annotations-allowlist``."""
        return cls(_of_nodes(labels), _of_nodes(annotations))


def render(nodes: Iterable[Json], pods: Iterable[Json], allowlists: Allowlists) -> tuple[Family, ...]:
    """All families, from the objects of the API server."""
    nodes, pods = tuple(nodes), tuple(pods)
    families = [_family(name, text, nodes, samples) for name, text, samples in _NODE_FAMILIES]
    families += [_family(name, text, pods, samples) for name, text, samples in _POD_FAMILIES]
    for kind, keys in (("label", allowlists.labels), ("annotation", allowlists.annotations)):
        if keys:
            text = f"Kubernetes {kind}s converted to Prometheus labels."
            families.append(_family(f"kube_node_{kind}s", text, nodes, _exported(kind, keys)))
    return tuple(families)


def sanitize(name: str) -> str:
    """A name as a label of Prometheus, or as the label ``resource`` (internal/store/utils.go).

    >>> sanitize("nvidia.com/mig-1g.10gb.me"), sanitize("app.kubernetes.io/partOf")
    ('nvidia_com_mig_1g_10gb_me', 'app_kubernetes_io_part_of')
    """
    valid = re.sub(r"[^a-zA-Z0-9_]", "_", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", valid).lower()


def _of_nodes(allowlist: str) -> frozenset[str]:
    """The keys in ``nodes=[a,b],pods=[c]``."""
    found = re.search(r"\bnodes=\[([^\]]*)\]", allowlist)
    return frozenset(key.strip() for key in found[1].split(",") if key.strip()) if found else frozenset()


def _family(name: str, text: str, objects: Iterable[Json], samples: _Samples) -> Family:
    return Family(name, "gauge", text, tuple(sample for each in objects for sample in samples(each)))


def _exported(kind: str, keys: frozenset[str]) -> _Samples:
    def samples(node: Json) -> Iterator[Sample]:
        present: Mapping[str, str] = node["metadata"].get(f"{kind}s") or {}
        chosen = {key: value for key, value in present.items() if key in keys or "*" in keys}
        exported = {f"{kind}_{sanitize(key)}": value for key, value in sorted(chosen.items())}
        yield Sample({**_node(node), **exported}, 1)

    return samples


def _node(node: Json) -> dict[str, str]:
    return {"node": str(node["metadata"]["name"])}


def _info(node: Json) -> Iterator[Sample]:
    info = node["status"].get("nodeInfo", {})
    keys = {"kernelVersion", "osImage", "containerRuntimeVersion", "kubeletVersion"} & info.keys()
    yield Sample({**_node(node), **{sanitize(key): str(info[key]) for key in sorted(keys)}}, 1)


def _unschedulable(node: Json) -> Iterator[Sample]:
    yield Sample(_node(node), float(bool(node["spec"].get("unschedulable"))))


def _taints(node: Json) -> Iterator[Sample]:
    for taint in node["spec"].get("taints") or []:
        labels = {"key": taint["key"], "value": taint.get("value", ""), "effect": taint["effect"]}
        yield Sample({**_node(node), **labels}, 1)


def _conditions(node: Json) -> Iterator[Sample]:
    for condition in node["status"].get("conditions") or []:
        for status in ("true", "false", "unknown"):
            labels = {"condition": condition["type"], "status": status}
            yield Sample({**_node(node), **labels}, float(condition["status"].lower() == status))


def _resources(part: str) -> _Samples:
    def samples(node: Json) -> Iterator[Sample]:
        for name, quantity in (node["status"].get(part) or {}).items():
            yield Sample({**_node(node), **_resource(name)}, _quantity(quantity))

    return samples


def _pod(pod: Json) -> dict[str, str]:
    metadata = pod["metadata"]
    return {"namespace": metadata["namespace"], "pod": metadata["name"], "uid": metadata["uid"]}


def _pod_info(pod: Json) -> Iterator[Sample]:
    owner: dict[str, Any] = next(iter(pod["metadata"].get("ownerReferences") or []), {})
    labels = {
        "node": pod["spec"].get("nodeName", ""),
        "created_by_kind": owner.get("kind", ""),
        "created_by_name": owner.get("name", ""),
    }
    yield Sample({**_pod(pod), **labels}, 1)


def _phases(pod: Json) -> Iterator[Sample]:
    for phase in PHASES:
        yield Sample({**_pod(pod), "phase": phase}, float(pod["status"].get("phase", "Pending") == phase))


def _unscheduled(pod: Json) -> Iterator[Sample]:
    conditions = pod["status"].get("conditions") or []
    if any(each["type"] == "PodScheduled" and each["status"] == "False" for each in conditions):
        yield Sample(_pod(pod), 1)


def _requests(pod: Json) -> Iterator[Sample]:
    for container in pod["spec"]["containers"]:
        for name, quantity in (container.get("resources", {}).get("requests") or {}).items():
            labels = {"container": container["name"], "node": pod["spec"].get("nodeName", "")}
            yield Sample({**_pod(pod), **labels, **_resource(name)}, _quantity(quantity))


def _resource(name: str) -> dict[str, str]:
    return {"resource": sanitize(name), "unit": UNITS.get(name, "integer")}


def _quantity(text: str) -> float:
    """A number with one of the suffixes that nodes and pods of the fleet have."""
    found = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", text)
    assert found and found[2] in SUFFIXES, f"the simulator does not know the quantity {text!r}; this is a bug"
    return float(found[1]) * SUFFIXES[found[2]]


_NODE_FAMILIES: Final[tuple[tuple[str, str, _Samples], ...]] = (
    ("kube_node_info", "Information about a cluster node.", _info),
    ("kube_node_spec_unschedulable", "Whether a node can schedule new pods.", _unschedulable),
    ("kube_node_spec_taint", "The taint of a cluster node.", _taints),
    ("kube_node_status_condition", "The condition of a cluster node.", _conditions),
    ("kube_node_status_capacity", "The total amount of resources of a node.", _resources("capacity")),
    (
        "kube_node_status_allocatable",
        "The amount of resources allocatable for pods.",
        _resources("allocatable"),
    ),
)
_POD_FAMILIES: Final[tuple[tuple[str, str, _Samples], ...]] = (
    ("kube_pod_info", "Information about pod.", _pod_info),
    ("kube_pod_status_phase", "The pods current phase.", _phases),
    ("kube_pod_status_unschedulable", "Describes the unschedulable status for the pod.", _unscheduled),
    ("kube_pod_container_resource_requests", "The number of requested resources by a container.", _requests),
)
