"""The GPU Operator that runs in a cluster: where it is, its version, and who installed it. Reads only.

It is found by its Deployment (label ``app.kubernetes.io/component: gpu-operator``, chart templates/operator.yaml), by
MIG Manager's DaemonSet and by its ClusterPolicy, of which there is one per cluster (gpu-operator v26.7.0,
controllers/clusterpolicy_controller.go).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mig_fleet.cluster.connection import Connection, Json
from mig_fleet.cluster.errors import ClusterError, Forbidden, NotFound
from mig_fleet.model.labels import OPERATOR_OWNED_CONFIG_MAP
from mig_fleet.model.short_repr import format_value
from mig_fleet.observed.installed.helm_release import HelmRelease, helm_releases
from mig_fleet.observed.installed.object_owner import ObjectOwner, OwnerKind, owner_of
from mig_fleet.observed.operands import MIG_MANAGER

CLUSTER_POLICIES: Final = "/apis/nvidia.com/v1/clusterpolicies"
APPLICATIONS: Final = "/apis/argoproj.io/v1alpha1/applications"
DEPLOYMENTS: Final = ("app.kubernetes.io/component=gpu-operator", "app=gpu-operator")
"""Selectors of its Deployment; the second one is that of older charts."""

CHART: Final = "gpu-operator"


@dataclass(frozen=True, slots=True)
class InstalledOperator:
    """An operator that runs."""

    namespace: str
    owner: ObjectOwner | None = None
    release: HelmRelease | None = None
    version: str = ""
    layouts: str = OPERATOR_OWNED_CONFIG_MAP
    """The ConfigMap that MIG Manager reads its layout file from."""

    def __str__(self) -> str:
        version = f" {_printable(self.version)}" if self.version else ""
        owner = f"managed by {self.owner}" if self.owner else "of an unknown owner"
        return f"GPU Operator{version} in namespace {format_value(self.namespace)}, {owner}"


@dataclass(frozen=True, slots=True)
class OperatorSearch:
    """What was found. ``unknown`` names what could not be read, and the right that it needs: without an operator the
    cluster may have one nevertheless.
    """

    operator: InstalledOperator | None
    unknown: tuple[str, ...] = ()


def find_operator(cluster: Connection, namespace: str | None = None) -> OperatorSearch:
    """The operator of the cluster, or that of one namespace. Raises ClusterError."""
    unknown: list[str] = []
    operator = _find(cluster, namespace, unknown)
    return OperatorSearch(operator, tuple(dict.fromkeys(unknown)))


def _find(cluster: Connection, namespace: str | None, unknown: list[str]) -> InstalledOperator | None:
    policies = _list(cluster, CLUSTER_POLICIES, "", unknown)
    deployments = [item for selector in DEPLOYMENTS for item in _list(cluster, _apps("deployments"), selector, unknown)]
    managers = _list(cluster, _apps("daemonsets"), f"app={MIG_MANAGER}", unknown)
    where = namespace or _namespace(policies, deployments, managers)
    parts = [item for item in (*deployments, *managers) if item["metadata"].get("namespace") == where]
    # A ClusterPolicy alone is what an uninstalled operator left, unless its other parts must not be listed.
    if where is None or not (parts or (policies and unknown)):
        return None
    applications = _applications(cluster, unknown)
    owners = [owner_of(item["metadata"], applications) for item in (*parts, *policies)]
    owner = next(filter(None, owners), None)
    release = _release(cluster, where, owner, unknown)
    if release and owner is None:
        owner = ObjectOwner(OwnerKind.HELM, release.name, release.namespace)
    version = release.version if release and release.version else _version(parts, owner)
    return InstalledOperator(where, owner, release, version, _layouts(policies))


def _apps(kind: str) -> str:
    return f"/apis/apps/v1/{kind}"


def _list(cluster: Connection, path: str, selector: str, unknown: list[str]) -> list[Json]:
    """The objects of a kind in all namespaces; none if the cluster does not have the kind."""
    try:
        items = cluster.get(path, {"labelSelector": selector} if selector else {}).get("items")
    except NotFound:
        return []
    except Forbidden as exc:
        *_, group, _, kind = path.split("/")
        unknown.append(f"{exc}; grant the right to list {kind}.{group} in all namespaces")
        return []
    return items if isinstance(items, list) else []


def _namespace(policies: list[Json], deployments: list[Json], managers: list[Json]) -> str | None:
    """ClusterPolicy records where its operands are; the others are where the operator is."""
    recorded = (policy.get("status", {}).get("namespace") for policy in policies)
    others = (item["metadata"].get("namespace") for item in (*deployments, *managers))
    return next((name for name in (*recorded, *others) if name), None)


def _applications(cluster: Connection, unknown: list[str]) -> dict[str, str]:
    """Name → namespace of every Argo CD Application."""
    found = (item["metadata"] for item in _list(cluster, APPLICATIONS, "", unknown))
    return {item["name"]: item.get("namespace", "") for item in found}


def _release(cluster: Connection, namespace: str, owner: ObjectOwner | None, unknown: list[str]) -> HelmRelease | None:
    """The release that the operator's objects name, or the one of the operator's chart."""
    try:
        releases = helm_releases(cluster, namespace)
    except ClusterError as exc:
        right = f"; grant the right to list secrets in namespace {namespace}" if isinstance(exc, Forbidden) else ""
        unknown.append(f"Helm's releases could not be read: {exc}{right}")
        return None
    if owner and owner.kind is OwnerKind.HELM:
        return next((each for each in releases if each.name == owner.name), None)
    return next((each for each in releases if CHART in (each.chart or each.name)), None)


def _version(parts: list[Json], owner: ObjectOwner | None) -> str:
    """From the chart's label, the version label or the image's tag; a ClusterServiceVersion has it in its name."""
    if owner and owner.kind is OwnerKind.OLM:
        return owner.name.partition(".")[2]
    for part in parts:
        labels: Mapping[str, str] = part["metadata"].get("labels") or {}
        chart = labels.get("helm.sh/chart", "").removeprefix(f"{CHART}-")
        if found := chart or labels.get("app.kubernetes.io/version", "") or _tag(part):
            return found
    return ""


def _tag(part: Json) -> str:
    containers = part.get("spec", {}).get("template", {}).get("spec", {}).get("containers") or [{}]
    image = str(containers[0].get("image", "")).partition("@")[0].rpartition("/")[2]
    return image.partition(":")[2]


def _layouts(policies: list[Json]) -> str:
    configs = (_inner(policy, "spec", "migManager", "config", "name") for policy in policies)
    return next((name for name in configs if isinstance(name, str) and name), OPERATOR_OWNED_CONFIG_MAP)


def _inner(data: Any, *keys: str) -> Any:
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def _printable(text: str) -> str:
    return text if text.isprintable() and len(text) <= 40 else format_value(text)
