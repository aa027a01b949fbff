"""Alerts about what Prometheus does not see. Without them, the other alerts would be silent and look like success."""

from collections.abc import Iterator
from typing import Final

from mig_fleet.model import labels
from mig_fleet.model.strategy import Strategy
from mig_fleet.monitoring import series
from mig_fleet.monitoring.alerts.definition import NOT_CHANGING, REPORTING, Definition
from mig_fleet.monitoring.alerts.durations import duration
from mig_fleet.monitoring.alerts.thresholds import Threshold, Thresholds
from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.monitoring.kube_state_metrics import spelled

ALLOCATABLE: Final = "kube_node_status_allocatable"
"""Of kube-state-metrics, for all nodes and all resources."""


def definitions(fleet: MonitoredFleet, thresholds: Thresholds) -> Iterator[Definition]:
    """Those that are on."""
    if thresholds.telemetry_missing:
        yield _telemetry_missing(thresholds.telemetry_missing)
    if thresholds.node_labels_not_exported:
        yield _labels_not_exported(fleet, thresholds.node_labels_not_exported)


def _telemetry_missing(missing: Threshold) -> Definition:
    slices = " or ".join(f"sum by (node) ({name}) > 0" for name in (series.DECLARED, series.ALLOCATABLE))
    # An exporter that restarts again and again is never away for the wait. Each step costs as much as
    # one evaluation of the condition, so there are about five.
    minutes = min(max(missing.wait // 60, 1), 60)
    steps = f"[{minutes}m:{max(minutes // 5, 1)}m]"
    reporting = f"(group by (node) ({series.POWER}) or group by (node) ({series.ACTIVITY}))"
    rarely = f"2 * count_over_time({reporting}{steps}) < count_over_time(({slices}){steps})"
    silent = f"({slices}) unless on (node) {reporting} or {rarely}"
    # An idle slice may lack the fields of the profiler, one with a pod has them.
    inactive = f'group by (node) ({series.MEMORY_USED}{{pod!=""}} unless on (node, uuid, slice) {series.ACTIVITY})'
    # With `honorLabels: true`, or a target without the label pod, no slice has a pod.
    free = f'group by (node) ({series.ACTIVITY}) unless on (node) {series.ACTIVITY}{{pod!=""}}'
    without_pods = f"sum by (node) ({series.REQUESTED}) > 0 and on (node) ({free})"
    return Definition(
        "MIGTelemetryMissing",
        f"({silent} or {inactive} or {without_pods}) {NOT_CHANGING}",
        missing,
        "Prometheus has no telemetry of the slices of {{ $labels.node }}",
        f"For {duration(missing.wait)}, dcgm-exporter has reported nothing of {{{{ $labels.node }}}}, which has slices,"
        " or for less than half of the time, or not their activity, or not which pods have them. Idle slices, lost "
        "slices and errors are not seen there.",
        "kubectl get pods -A -l app=nvidia-dcgm-exporter --field-selector spec.nodeName={{ $labels.node }}",
    )


def _labels_not_exported(fleet: MonitoredFleet, missing: Threshold) -> Definition:
    needed = {
        labels.CONFIG: "kube_node_labels",
        labels.STATE: "kube_node_labels",
        labels.WAVE: "kube_node_annotations",
    }
    absent = [_absent(metric, name) for name, metric in needed.items()]
    # Nodes of a first update have no verified config yet.
    absent.append(f"{_absent('kube_node_annotations', labels.VERIFIED_CONFIG)} unless on () {series.CHANGING}")
    # A cluster without a node that has slices lacks the labels rightly, unless it only seems so.
    unread = f"absent({ALLOCATABLE})"
    expr = f"({' or '.join(absent)}) and on () ({REPORTING} or {series.ALLOCATABLE} or {unread})"
    if fleet.strategy is Strategy.SINGLE:
        # Every node with GPUs has this label, and without it slices are not distinguished from whole GPUs.
        gpus = f'{ALLOCATABLE}{{resource="{spelled(labels.GPU_RESOURCE)}"}} > 0'
        expr += f" or {_absent('kube_node_labels', labels.PRODUCT)} and on () ({REPORTING} or {gpus} or {unread})"
    return Definition(
        "MIGNodeLabelsNotExported",
        expr,
        missing,
        "kube-state-metrics exports no {{ $labels.missing }} of nodes",
        f"For {duration(missing.wait)} no node has had {{{{ $labels.missing }}}} in Prometheus. Alerts about nodes and "
        "their configs are silent without it, whatever happens. kube-state-metrics does not run, is not read, or its "
        "allowlist lacks the name.",
        "mig-fleet monitoring",
    )


def _absent(metric: str, name: str) -> str:
    """A row with the label ``missing`` if no node has the label or annotation."""
    kind = "label" if metric == "kube_node_labels" else "annotation"
    rows = f'{metric}{{{kind}_{spelled(name)}!=""}}'
    return f'label_replace(absent({rows}), "missing", "{name}", "", "")'
