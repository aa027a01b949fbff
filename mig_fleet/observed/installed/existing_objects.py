"""Objects that exist already and that a program is about to create, which would take them from their owner.

Pulumi's Kubernetes provider creates with server-side apply, which also writes to an object that exists
(pulumi-kubernetes 4.25, await.go: "we currently always upsert the object"), and `destroy` then deletes it. Whether an
object is in the state of the stack is known only to the engine: :mod:`mig_fleet.components.existing` asks here right
before a creation, in previews too.
"""

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote

from mig_fleet.cluster.client import FIELD_MANAGER
from mig_fleet.cluster.connection import Connection
from mig_fleet.cluster.errors import NotFound
from mig_fleet.model.labels import DASHBOARDS, LAYOUTS_CONFIG_MAP
from mig_fleet.model.short_repr import format_value
from mig_fleet.observed.installed.gpu_operator import InstalledOperator, find_operator
from mig_fleet.observed.installed.helm_release import HelmRelease, helm_releases
from mig_fleet.observed.installed.object_owner import OwnerKind, owner_of

NAMESPACE: Final = "kubernetes:core/v1:Namespace"
CONFIG_MAP: Final = "kubernetes:core/v1:ConfigMap"
RELEASE: Final = "kubernetes:helm.sh/v3:Release"

_RBAC, _ADMISSION = "apis/rbac.authorization.k8s.io/v1", "apis/admissionregistration.k8s.io/v1"
COLLECTIONS: Final = {
    NAMESPACE: "api/v1/namespaces",
    CONFIG_MAP: "api/v1/namespaces/{}/configmaps",
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole": f"{_RBAC}/clusterroles",
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding": f"{_RBAC}/clusterrolebindings",
    "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy": f"{_ADMISSION}/validatingadmissionpolicies",
    "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding": (
        f"{_ADMISSION}/validatingadmissionpolicybindings"
    ),
    "kubernetes:resource.k8s.io/v1:DeviceClass": "apis/resource.k8s.io/v1/deviceclasses",
}
"""Pulumi's type → where the API server has objects of it; ``{}`` is the namespace. Other objects of ours are in a
namespace that is checked itself."""

MANAGED_BY: Final = "app.kubernetes.io/managed-by"

STOP: Final = "stop its owner from managing it: whatever installs it there must no longer change or delete it"

PROVIDER: Final = "cluster"
"""The program's Kubernetes provider."""


@dataclass(frozen=True, slots=True)
class PlannedObject:
    """An object that a program registers. ``kind`` is Pulumi's type; ``name`` and ``namespace`` are in the cluster."""

    kind: str
    name: str
    namespace: str = ""
    resource: str = ""
    """The name of the resource in the program."""
    parent: tuple[str, str] | None = None
    """Type and name of the component that it belongs to."""
    provider: Mapping[str, str] = field(default_factory=dict)
    """The inputs of the program's Kubernetes provider."""
    version: str = ""
    """The version of the provider's plugin."""
    immutable: bool = False
    fleet: tuple[str, str] | None = None
    """Type and name of the Fleet component above all of them; its name begins the names of its resources."""

    @property
    def prefix(self) -> str:
        """What the name of each resource begins with."""
        return f"{self.fleet[1]}-" if self.fleet else ""

    @property
    def id(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def foreign_object(cluster: Connection, planned: PlannedObject, others: Iterable[PlannedObject] = ()) -> str:
    """Why the object must not be created, and the two ways out; empty if it does not exist or is mig-fleet's.

    ``others`` are further objects of the program: a take-over of the operator's namespace includes its release.

    Another stack's objects are mig-fleet's too: the cluster owner distinguishes stacks. Raises ClusterError.
    """
    if planned.kind == RELEASE:
        return _foreign_release(cluster, planned)
    metadata = _metadata(cluster, planned)
    if metadata is None or (metadata.get("labels") or {}).get(MANAGED_BY) == FIELD_MANAGER:
        return ""
    what = planned.kind.rpartition(":")[2]
    where = f" in namespace {planned.namespace}" if planned.namespace else ""
    found = f"{what} {planned.name}{where} exists already, {_managed(metadata)}"
    if planned.kind == NAMESPACE and (operator := find_operator(cluster, planned.name).operator):
        found += f"; {operator}, runs there"
        for release in (replace(each, namespace=planned.name) for each in others if each.kind == RELEASE):
            return _operator_ways(found, _leave(planned), operator, operator.release, release, planned)
    if planned.immutable:
        # After an import an update would still have to replace it: the content cannot change, nor become immutable.
        command = f"kubectl -n {planned.namespace} delete configmap {planned.name}"
        return _ways(found, _leave(planned), f"to take its place, {STOP}, then run `{command}`, and this command again")
    return _ways(found, _leave(planned), f"to take it over, {STOP}, then run in bash: {_take(planned)}")


def foreign_layout_file(config_map: Mapping[str, Any] | None, namespace: str) -> str:
    """The same about the layout file, which is merged and not created: a tool that manages it would undo each write."""
    metadata = (config_map or {}).get("metadata") or {}
    if config_map is None or (metadata.get("labels") or {}).get(MANAGED_BY) == FIELD_MANAGER:
        return ""
    return "\n".join(
        [
            f"ConfigMap {LAYOUTS_CONFIG_MAP} in namespace {namespace} exists already, {_managed(metadata)}; it was not "
            "changed",
            "  - to leave it to its owner, give it another name there: migManager.config.name in the chart's values",
            "  - to take it over, let its owner stop creating it: set migManager.config.create: false there."
            f" If it remains, `kubectl -n {namespace} label --overwrite configmap {LAYOUTS_CONFIG_MAP} "
            f"{MANAGED_BY}={FIELD_MANAGER}`",
        ]
    )


def _foreign_release(cluster: Connection, planned: PlannedObject) -> str:
    """A release, or the same software by another tool: a cluster can have only one GPU Operator."""
    releases = helm_releases(cluster, planned.namespace) if planned.namespace else []
    release = next((each for each in releases if each.name == planned.name), None)
    search = find_operator(cluster)
    operator = search.operator
    if release is None and operator is None:
        unread = "; ".join(search.unknown)
        return f"whether a GPU Operator exists already is not known: {unread}" if unread else ""
    found = f"{operator} exists already" if operator else f"{release} exists already ({release.status})"  # type: ignore[union-attr]  # one of both
    namespace = operator.namespace if operator else planned.namespace
    leave = f"mig-fleet:operator: {{managed: false, namespace: {namespace}}}"
    return _operator_ways(found, leave, operator, release, planned)


def _operator_ways(
    found: str,
    leave: str,
    operator: InstalledOperator | None,
    release: HelmRelease | None,
    planned: PlannedObject,
    *before: PlannedObject,
) -> str:
    """``planned`` is the release of the program, ``before`` what must be taken over with it."""
    if release is None or not (operator is None or _is_release(operator, planned)):
        then = f"run in bash: {_take(*before)}" if before else "run this command again"
        return _ways(found, leave, f"to take its place, {_uninstall(operator, planned)}; then {then}")
    version = release.version or (operator.version if operator else "")
    known = (
        f"version: {format_value(version)}"
        if version
        else f"the version that `helm list -n {shlex.quote(release.namespace)}` prints"
    )
    namespace = f" and deletes namespace {planned.namespace}" if before else ""
    name = shlex.quote(release.name)
    return _ways(
        found,
        leave,
        f"to take it over, in this order; `pulumi destroy` then uninstalls it{namespace}:\n"
        f"    1. in mig-fleet:operator write {known}, and below values: what `helm get values {name} "
        f"-n {shlex.quote(release.namespace)} -o yaml` prints; the next update removes every value that is not there\n"
        "    2. stop its owner from managing it: no user and no pipeline runs "
        f"`helm upgrade {name}` from then on\n"
        f"    3. run in bash: {_take(*before, planned)}\n"
        "    4. `pulumi preview --diff` shows what the next update changes in the release",
    )


def _is_release(operator: InstalledOperator, planned: PlannedObject) -> bool:
    owner = operator.owner
    is_helms = owner is not None and owner.kind is OwnerKind.HELM
    return is_helms and operator.release is not None and operator.release.name == planned.name


def _uninstall(operator: InstalledOperator | None, planned: PlannedObject) -> str:
    """What to do with an operator that no import makes the release of the program."""
    owner = operator.owner if operator else None
    name = owner or "its owner"
    return (
        f"uninstall it with {name}: it cannot be imported, because it is not the Helm release {planned.name} in "
        f"namespace {planned.namespace}, which this program installs"
    )


def _metadata(cluster: Connection, planned: PlannedObject) -> dict[str, Any] | None:
    collection = COLLECTIONS[planned.kind].format(quote(planned.namespace, safe=""))
    try:
        found = cluster.get(f"/{collection}/{quote(planned.name, safe='')}")
    except NotFound:
        return None
    metadata: dict[str, Any] = found["metadata"]
    return metadata


def _managed(metadata: Mapping[str, Any]) -> str:
    """The owner; if no tool left its mark, the field manager that wrote first, such as ``kubectl-create``."""
    if owner := owner_of(metadata, {}):
        return f"managed by {owner}"
    writers = [str(entry.get("manager", "")) for entry in metadata.get("managedFields") or ()]
    return f"written by {format_value(writers[0])}" if writers and writers[0] else "of an unknown owner"


def _leave(planned: PlannedObject) -> str:
    """The setting with which the program does not create the object."""
    return {
        ("operator-namespace", NAMESPACE): f"mig-fleet:operator: {{managed: false, namespace: {planned.name}}}",
        ("probe-namespace", NAMESPACE): "mig-fleet:probe: {namespace: NAME}, with a name that is not in use",
        **{
            (f"monitoring-dashboard-{name}", CONFIG_MAP): "mig-fleet:monitoring: {dashboards: none}"
            for name in DASHBOARDS
        },
        ("monitoring-rules", CONFIG_MAP): "mig-fleet:monitoring: {rules: none}",
    }.get((planned.resource.removeprefix(planned.prefix), planned.kind), "")


def _take(*objects: PlannedObject) -> str:
    """The command that adds the objects to the stack's state, with their components and their provider."""
    first = objects[0]
    provider = f"{first.prefix}{PROVIDER}"
    resources: list[dict[str, Any]] = [{"type": "pulumi:providers:kubernetes", "name": provider}]
    resources[0] |= {"inputs": dict(first.provider)} | ({"version": first.version} if first.version else {})
    inside: dict[str, Any] = {}
    if first.fleet:
        kind, name = first.fleet
        inside = {"parent": name}
        resources[0] |= inside
        resources.append({"type": kind, "name": name, "component": True})
    for each in objects:
        one = {"type": each.kind, "name": each.resource, "id": each.id, "provider": provider}
        if each.parent and each.parent != each.fleet:
            kind, name = each.parent
            resources.append({"type": kind, "name": name, "component": True} | inside)
            one["parent"] = name
        else:
            one |= inside
        resources.append(one)
    text = json.dumps({"resources": resources}, separators=(",", ":"))
    return f"pulumi import --generate-code=false --protect=false --file <(echo {shlex.quote(text)})"


def _ways(found: str, leave: str, take: str) -> str:
    ways = [*([f"to leave it to its owner, set {leave}"] if leave else []), take]
    return "\n".join([f"{found}; it was not changed", *(f"  - {way}" for way in ways)])
