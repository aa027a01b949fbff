"""What needs attention: pods that wait, nodes that change, errors of GPUs."""

from mig_fleet.monitoring.dashboards import expressions, panels, tables
from mig_fleet.monitoring.dashboards.colors import BLUE, ORANGE, VERMILION
from mig_fleet.monitoring.dashboards.navigation import node_url
from mig_fleet.monitoring.dashboards.queries import Query
from mig_fleet.monitoring.dashboards.scope import Scope
from mig_fleet.monitoring.dashboards.sdk import models
from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.monitoring.promql import by, text
from mig_fleet.monitoring.series import CHANGING, NODE, XID

_XID: tuple[str, ...] = (*expressions.SLICE, "uuid")


def pending_count(scope: Scope) -> models.Panel:
    return panels.number(
        "Pending pods",
        "Pods that request slices and for which the scheduler has found no node.",
        "none",
        Query(expressions.pending_pods(scope)),
        steps=((1, ORANGE),),
    )


def pending_pods(scope: Scope) -> models.Panel:
    return tables.rows(
        "Pending pods by profile",
        "Slices that pods request and for which the scheduler has found no node. A profile with none free, while pods "
        "wait for it, raises an alert.",
        "none",
        ("namespace", "pod", "resource"),
        Query(f"sum by (namespace, pod, resource) ({expressions.pending(scope)})", "slices"),
        empty="No pod waits for a slice",
    )


def changing_count(scope: Scope) -> models.Panel:
    return panels.number(
        "Nodes changing",
        "Nodes that MIG Manager reconfigures, or that mig-fleet keeps free of new pods. Alerts about their slices are "
        "silent meanwhile.",
        "none",
        Query(expressions.changing_nodes(scope)),
        steps=((1, ORANGE),),
    )


def changing_nodes(scope: Scope) -> models.Panel:
    rows = f"max by (node, reason) ({scope.rows(CHANGING)})"
    with_pool = f"{rows} * on (node) group_left (pool) max by (node, pool) ({NODE})"
    return tables.rows(
        "Nodes that change or are isolated",
        "`pending`: MIG Manager reconfigures the node. `isolated`: mig-fleet keeps new pods off it. "
        "`mig-fleet status` names the reason, and the command that restores scheduling.",
        "none",
        ("pool", "node", "reason"),
        Query(f"{with_pool} or ({rows} unless on (node) {NODE})", "nodes"),
        empty="No node changes",
        links={"node": node_url("${__data.fields.pool}", "${__value.raw}")},
    )


def last_xid(scope: Scope) -> models.Panel:
    """Without an error there is no row: DCGM has no value before the first one."""
    return tables.rows(
        "Last XID error",
        "The code of the last error of each slice; NVIDIA's documentation of XID errors explains it. The exporter "
        "repeats the last one for ever, and errors of a whole GPU with MIG may be missing: keep the kernel's log, too.",
        "none",
        _XID,
        Query(f"max{by(_XID)} ({scope.rows(XID)} > 0)", "XID"),
        empty="No XID error",
    )


def exporters(fleet: MonitoredFleet) -> models.Panel:
    up = f"up{{job=~{text(fleet.exporter_job)}}}"
    return panels.number(
        "Exporters up",
        "Share of the exporters that Prometheus reaches. Without its exporter a node has no telemetry.",
        "percentunit",
        Query(f"sum({up}) / count({up})"),
        steps=((1, BLUE),),
        below=VERMILION,
    )


def alerts() -> models.Panel:
    return panels.number(
        "Alerts",
        "Alerts of mig-fleet that fire. Each has a link to what it means and what to run.",
        "none",
        Query(expressions.or_zero('count(ALERTS{alertname=~"MIG.+", alertstate="firing"})')),
        steps=((1, VERMILION),),
    )
