"""Reads a cluster for `mig-fleet import`: nodes, layout files, reports of probes, the GPU Operator. Writes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mig_fleet.cluster.connection import Connection
from mig_fleet.cluster.errors import Forbidden
from mig_fleet.model import labels
from mig_fleet.model.errors import InvalidReport
from mig_fleet.model.imports import ImportedCluster
from mig_fleet.model.report import Report
from mig_fleet.model.short_repr import format_value
from mig_fleet.observed.installed.gpu_operator import InstalledOperator, find_operator
from mig_fleet.observed.installed.object_owner import OwnerKind
from mig_fleet.observed.owners.cluster_owner import file_owner

DEFAULT_NAMESPACE = "gpu-operator"
NO_OPERATOR = (
    "No GPU Operator was found. By default the stack installs one; for one that you install yourself write "
    "mig-fleet:operator: {managed: false, namespace: NAMESPACE}"
)


@dataclass(frozen=True, slots=True)
class LiveCluster:
    """What was read. ``config_maps`` are those of the operator's namespace; the one that MIG Manager reads is first."""

    nodes: list[dict[str, Any]]
    config_maps: list[dict[str, Any]]
    reports: Mapping[str, Report]
    operator: InstalledOperator | None
    notes: tuple[str, ...] = ()
    """What could not be read."""


def read_live(cluster: Connection, namespace: str | None) -> LiveCluster:
    """``namespace`` is that of the operator; without it the operator is looked for. Raises ClusterError."""
    nodes = cluster.get("/api/v1/nodes")["items"]
    notes = []
    operator = find_operator(cluster, namespace)
    if operator is None and namespace and (operator := find_operator(cluster)):
        notes.append(f"--namespace {namespace}: no GPU Operator runs there; found {operator}")
    where = namespace or (operator.namespace if operator else DEFAULT_NAMESPACE)
    config_maps = cluster.get(f"/api/v1/namespaces/{quote(where, safe='')}/configmaps")["items"]
    layouts = operator.layouts if operator else ""
    config_maps = sorted(config_maps, key=lambda item: item["metadata"]["name"] != layouts)
    return LiveCluster(
        nodes, config_maps, _reports(cluster), operator, (*notes, *(operator.unknown if operator else ()))
    )


def imported_cluster(live: LiveCluster, context: str | None, kubeconfig: str | None) -> ImportedCluster:
    """The sections `cluster` and `operator`, with comments that say what was found."""
    operator = live.operator
    if operator is None:
        return ImportedCluster(context, kubeconfig, None, (NO_OPERATOR,))
    owned = (item for item in live.config_maps if item["metadata"]["name"] == labels.LAYOUTS_CONFIG_MAP)
    stack = next(filter(None, map(file_owner, owned)), None)
    notes = [f"Found: {operator}.", "managed: false leaves it to its owner."]
    if operator.release and operator.owner and operator.owner.kind is OwnerKind.HELM:
        release = operator.release
        given = f"version: {format_value(operator.version)}" if operator.version else "its version"
        notes.append(
            f"A take-over begins with {given} and the values of `helm get values {release.name} "
            f"-n {release.namespace} -o yaml`: docs/adopt.md, step 1."
        )
    if stack:
        notes.append(
            f"Stack {format_value(stack.stack)} owns this cluster: continue with that stack and its own section "
            "mig-fleet:operator, or take the cluster over with mig-fleet:cluster: {takeOver: ...}."
        )
    elif operator.layouts == labels.LAYOUTS_CONFIG_MAP:
        notes.append(f"MIG Manager reads {operator.layouts} already.")
    else:
        notes.append(
            f"Before the first change of a layout, let MIG Manager read {labels.LAYOUTS_CONFIG_MAP} instead of "
            f"{format_value(operator.layouts)}: docs/adopt.md, step 4."
        )
    return ImportedCluster(context, kubeconfig, operator.namespace, tuple(notes))


def _reports(cluster: Connection) -> dict[str, Report]:
    """By node, from every namespace; none if the user may not list ConfigMaps there."""
    try:
        items = cluster.get("/api/v1/configmaps", {"labelSelector": f"{labels.REPORT_LABEL}=true"})["items"]
    except Forbidden:
        return {}
    found = {}
    for item in items:
        try:
            report = Report.from_json((item.get("data") or {}).get(labels.REPORT_KEY, ""))
        except InvalidReport:
            continue
        if item["metadata"]["name"] == labels.REPORT_PREFIX + report.node:
            found[report.node] = report
    return found
