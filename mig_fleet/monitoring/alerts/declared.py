"""Alerts about nodes whose slices are not those of their own config: the one that was verified last on the node.

A node that waits for its wave has its old config, and is compared with that.
"""

from collections.abc import Iterator

from mig_fleet.monitoring import series
from mig_fleet.monitoring.alerts.definition import NOT_CHANGING, REPORTING, Definition
from mig_fleet.monitoring.alerts.durations import duration
from mig_fleet.monitoring.alerts.thresholds import Threshold, Thresholds


def definitions(thresholds: Thresholds) -> Iterator[Definition]:
    """Those that are on."""
    if thresholds.slices_differ_from_config:
        yield _differ(thresholds.slices_differ_from_config)
    if thresholds.slices_not_offered:
        yield _not_offered(thresholds.slices_not_offered)


def _differ(differ: Threshold) -> Definition:
    declared, reported = (f"sum by (node, profile) ({name})" for name in (series.DECLARED, series.REPORTED))
    return Definition(
        "MIGSlicesDifferFromConfig",
        # A profile that only one side has counts as 0 on the other. A node without any row is MIGTelemetryMissing, and
        # one whose config these rules do not know is not compared.
        f"({reported} or 0 * {declared}) - ({declared} or 0 * {reported}) != 0 "
        f"and on (node) {series.DECLARED} and on (node) {REPORTING} {NOT_CHANGING}",
        differ,
        '{{ $labels.node }} does not have the {{ $labels.profile }} slices of its config ({{ printf "%+.0f" $value }})',
        f"For {duration(differ.wait)}, dcgm-exporter has reported more or fewer {{{{ $labels.profile }}}} slices than "
        "the config has that was verified last on the node, whatever the stack declares now. A reboot, a GPU reset or "
        "a command on the node changed them, or the exporter does not see them.",
        "kubectl get node {{ $labels.node }} -L nvidia.com/mig.config,nvidia.com/mig.config.state",
    )


def _not_offered(missing: Threshold) -> Definition:
    declared = f'sum by (node, resource) ({series.DECLARED}{{resource!=""}})'
    offered = f"sum by (node, resource) ({series.ALLOCATABLE})"
    # Time-slicing and MPS may offer replicas under another name instead, any number of them.
    replicas = (
        'label_replace(kube_node_status_allocatable{resource=~".+_shared"} > 0, '
        '"resource", "$1", "resource", "(.+)_shared")'
    )
    return Definition(
        "MIGSlicesNotOffered",
        f"{declared} - ({offered} or 0 * {declared}) > 0 unless on (node, resource) {replicas} {NOT_CHANGING}",
        missing,
        "{{ $labels.node }} offers {{ $value }} of {{ $labels.resource }} less than its config has",
        f"For {duration(missing.wait)}, the kubelet of {{{{ $labels.node }}}} has offered fewer slices than the config "
        "that was verified last on the node has, so pods cannot have the rest. The device plugin does not run or found "
        "them unhealthy, or the slices are gone.",
        "kubectl describe node {{ $labels.node }}",
    )
