"""Alerts about nodes: isolated for too long, stuck, failed."""

from collections.abc import Iterator

from mig_fleet.model import labels
from mig_fleet.monitoring import series
from mig_fleet.monitoring.alerts.definition import Definition
from mig_fleet.monitoring.alerts.durations import duration
from mig_fleet.monitoring.alerts.thresholds import Threshold, Thresholds
from mig_fleet.monitoring.promql import one_of, text

STATUS = f"kubectl get node {{{{ $labels.node }}}} -L {labels.CONFIG},{labels.STATE}"


def definitions(thresholds: Thresholds) -> Iterator[Definition]:
    """Those that are on."""
    if thresholds.node_isolated:
        yield _isolated(thresholds.node_isolated)
    if thresholds.reconfiguration_stuck:
        yield _stuck(thresholds.reconfiguration_stuck)
    if thresholds.reconfiguration_failed:
        yield _failed(thresholds.reconfiguration_failed)


def _isolated(isolated: Threshold) -> Definition:
    return Definition(
        "MIGNodeIsolated",
        f"max by (node, reason) ({series.ISOLATED}) == 1",
        isolated,
        "{{ $labels.node }} takes no new GPU pods ({{ $labels.reason }})",
        f"mig-fleet has kept new pods off {{{{ $labels.node }}}} for {duration(isolated.wait)}: "
        f'{{{{ if eq $labels.reason "startup" }}}}it joined with the taint {labels.STARTUP_TAINT}, and no update has '
        "verified it yet{{ else }}an update was interrupted, or it failed and left the node isolated{{ end }}. "
        "`pulumi preview --diff` shows what the next update does with it.",
        "kubectl describe node {{ $labels.node }}",
    )


def _stuck(stuck: Threshold) -> Definition:
    return Definition(
        "MIGReconfigurationStuck",
        # Neither another state nor another label of the node starts the wait again; another config does.
        f"max by (node, config) ({series.STATE}{{state=~{text(one_of(labels.BUSY_STATES))}}}) == 1",
        stuck,
        "MIG Manager does not finish config {{ $labels.config }} on {{ $labels.node }}",
        f"{{{{ $labels.node }}}} has been pending for {duration(stuck.wait)}. MIG Manager may wait 25 minutes for "
        "pods of the GPU Operator before it touches a GPU; this is longer. The node takes no GPU pods meanwhile.",
        STATUS,
    )


def _failed(failed: Threshold) -> Definition:
    return Definition(
        "MIGReconfigurationFailed",
        f'max by (node, config) ({series.STATE}{{state="failed"}}) == 1',
        failed,
        "MIG Manager failed to apply config {{ $labels.config }} on {{ $labels.node }}",
        "The slices of {{ $labels.node }} may be those of the old config, of the new one, or none. MIG Manager does "
        "nothing more on its own. `pulumi preview --diff` shows what the next update does with it.",
        STATUS,
    )
