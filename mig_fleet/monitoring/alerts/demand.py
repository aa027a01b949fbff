"""Alerts about pods that wait for slices. At most one of the two fires for a resource."""

from collections.abc import Iterator

from mig_fleet.monitoring import series
from mig_fleet.monitoring.alerts.definition import NOT_CHANGING, Definition
from mig_fleet.monitoring.alerts.durations import duration
from mig_fleet.monitoring.alerts.thresholds import Threshold, Thresholds

_OFFERED = f"sum by (node, resource) ({series.ALLOCATABLE})"
_TAKEN = f"(sum by (node, resource) ({series.REQUESTED}) or 0 * {_OFFERED})"
_FREE = f"({_OFFERED} - {_TAKEN} > 0 {NOT_CHANGING} or 0 * {_OFFERED})"
FREE = f"(min_over_time({_FREE}[5m:1m]) > 0)"
"""The slices of the nodes that take pods that stayed free for five minutes, by node and resource. Where pods end and
others take their slices, some are free for a moment again and again.
"""


def definitions(thresholds: Thresholds) -> Iterator[Definition]:
    """Those that are on."""
    if thresholds.pods_pending:
        yield _pods_pending(thresholds.pods_pending)
    if thresholds.pool_exhausted:
        yield _pool_exhausted(thresholds.pool_exhausted)


def _pods_pending(pending: Threshold) -> Definition:
    return Definition(
        "MIGPodsPending",
        f"sum by (namespace, resource) ({series.PENDING}) > 0 and on (resource) {FREE}",
        pending,
        "Pods of {{ $labels.namespace }} are not scheduled although {{ $labels.resource }} is free",
        f"For {duration(pending.wait)}, pods that are not scheduled have requested {{{{ $value }}}} of "
        "{{ $labels.resource }}, and nodes have some of it free. The scheduler has another reason: a pod requests more "
        "than one node has free, or a taint, a node selector, CPU or memory prevents it.",
        "kubectl -n {{ $labels.namespace }} get events --field-selector reason=FailedScheduling",
    )


def _pool_exhausted(exhausted: Threshold) -> Definition:
    return Definition(
        "MIGPoolExhausted",
        f"sum by (resource) ({series.PENDING}) > 0 unless on (resource) {FREE}",
        exhausted,
        "Pods wait for {{ $labels.resource }}, and none is free",
        f"For {duration(exhausted.wait)}, pods that are not scheduled have requested {{{{ $value }}}} of "
        "{{ $labels.resource }}. Every one is in use, or no node that takes pods offers any.",
        "kubectl get pods --all-namespaces --field-selector status.phase=Pending",
    )
