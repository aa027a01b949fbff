"""Reads a cluster for `mig-fleet import`: nodes, layout files, reports of probes, the GPU Operator. Writes nothing."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mig_fleet.cluster.connection import Connection
from mig_fleet.cluster.errors import Forbidden
from mig_fleet.foreign_text import printable
from mig_fleet.model import labels
from mig_fleet.model.errors import InvalidReport
from mig_fleet.model.imports import ImportedCluster
from mig_fleet.model.report import Report
from mig_fleet.model.short_repr import format_value
from mig_fleet.observed.installed.gpu_operator import OperatorSearch, find_operator
from mig_fleet.observed.installed.object_owner import OwnerKind
from mig_fleet.observed.owners.cluster_owner import file_owner

DEFAULT_NAMESPACE = "gpu-operator"
OF_ANOTHER_OWNER = "write mig-fleet:operator: {managed: false, namespace: NAMESPACE}"
NO_OPERATOR = (
    "No GPU Operator was found. By default the stack installs one; for one that you install yourself "
    f"{OF_ANOTHER_OWNER}"
)
UNKNOWN_OPERATOR = (
    "Whether the cluster has a GPU Operator could not be read; the notes name the rights. Import again with them; or, "
    f"if one runs, {OF_ANOTHER_OWNER}: by default the stack installs one"
)


@dataclass(frozen=True, slots=True)
class LiveCluster:
    """What was read. ``config_maps`` are those of the operator's namespace; the one that MIG Manager reads is first."""

    nodes: list[dict[str, Any]]
    config_maps: list[dict[str, Any]]
    reports: Mapping[str, Report]
    search: OperatorSearch
    notes: tuple[str, ...] = ()
    """What could not be read, and the rights that it needs."""


def read_live(cluster: Connection, namespace: str | None) -> LiveCluster:
    """``namespace`` is that of the operator; without it the operator is looked for. Raises ClusterError."""
    nodes = cluster.get("/api/v1/nodes")["items"]
    notes: list[str] = []
    search = find_operator(cluster, namespace)
    if search.operator is None and namespace and (search := find_operator(cluster)).operator:
        notes.append(f"--namespace {namespace}: no GPU Operator runs there; found {search.operator}")
    operator = search.operator
    where = namespace or (operator.namespace if operator else DEFAULT_NAMESPACE)
    config_maps = cluster.get(f"/api/v1/namespaces/{quote(where, safe='')}/configmaps")["items"]
    layouts = operator.layouts if operator else ""
    config_maps = sorted(config_maps, key=lambda item: item["metadata"]["name"] != layouts)
    reports = _reports(cluster, notes)
    return LiveCluster(nodes, config_maps, reports, search, (*notes, *search.unknown))


def imported_cluster(live: LiveCluster, context: str | None, kubeconfig: str | None) -> ImportedCluster:
    """The sections `cluster` and `operator`, with comments that say what was found."""
    operator = live.search.operator
    if operator is None:
        note = UNKNOWN_OPERATOR if live.search.unknown else NO_OPERATOR
        return ImportedCluster(context, kubeconfig, None, (note,))
    owned = (item for item in live.config_maps if item["metadata"]["name"] == labels.LAYOUTS_CONFIG_MAP)
    stack = next(filter(None, map(file_owner, owned)), None)
    notes = [f"Found: {operator}.", "managed: false leaves it to its owner."]
    if operator.release and operator.owner and operator.owner.kind is OwnerKind.HELM:
        release = operator.release
        given = f"version: {format_value(operator.version)}" if operator.version else "its version"
        notes.append(
            f"A take-over begins with {given} and the values of `helm get values {shlex.quote(release.name)} "
            f"-n {shlex.quote(release.namespace)} -o yaml`: docs/how-to/adopt.md, step 1."
        )
    if stack:
        notes.append(
            f"Stack {format_value(stack.stack)} owns this cluster: continue with that stack and its own section "
            f"mig-fleet:operator, or take the cluster over with mig-fleet:cluster: {{takeOver: '{stack}'}}."
        )
    elif operator.layouts == labels.LAYOUTS_CONFIG_MAP:
        notes.append(f"MIG Manager reads {operator.layouts} already.")
    else:
        notes.append(
            f"Before the first change of a layout, let MIG Manager read {labels.LAYOUTS_CONFIG_MAP} instead of "
            f"{format_value(operator.layouts)}: docs/how-to/adopt.md, step 4."
        )
    return ImportedCluster(context, kubeconfig, operator.namespace, tuple(notes))


def _reports(cluster: Connection, notes: list[str]) -> dict[str, Report]:
    """By node, from every namespace; none, with a note, if the user may not list ConfigMaps there."""
    try:
        items = cluster.get("/api/v1/configmaps", {"labelSelector": f"{labels.REPORT_LABEL}=true"})["items"]
    except Forbidden as exc:
        notes.append(f"no report of a probe was read: {exc}; grant the right to list configmaps in all namespaces")
        return {}
    found = {}
    for item in items:
        try:
            report = Report.from_json((item.get("data") or {}).get(labels.REPORT_KEY, ""))
        except InvalidReport as exc:
            notes.append(f"the report in ConfigMap {printable(item['metadata']['name'])}: {printable(exc)}")
            continue
        if item["metadata"]["name"] == labels.REPORT_PREFIX + report.node:
            found[report.node] = report
    return found
