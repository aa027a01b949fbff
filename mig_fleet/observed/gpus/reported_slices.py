"""What NVML shows of a node's GPUs, as text. Pure.

A node whose change was interrupted or failed is described by it: the config label says what was asked for, not what the
GPUs have.
"""

from mig_fleet.model.formatting import format_gpus
from mig_fleet.model.report import STALE_AFTER_S
from mig_fleet.model.strategy import PerGpu
from mig_fleet.observed.snapshot import Node


def format_reported(node: Node, declared: PerGpu | None = None) -> str:
    """``NVML shows GPU 0-7: 7x 1g.10gb``, or why it is not known.

    ``still shows`` if that is not ``declared``, and MIG Manager has not reported success.

    A report that the probe wrote before the last change, or long ago, says what NVML *last* showed.
    """
    report = node.report
    if report is None and node.unreadable_report:
        return f"its report cannot be read: {node.unreadable_report}"
    if report is None:
        return "its probe has not reported what NVML shows"
    if report.errors:
        return f"NVML reports: {'; '.join(report.errors)}"
    is_old = not node.has_current_report or (node.report_age_s or 0.0) > STALE_AFTER_S
    shows = "last showed" if is_old else "shows"
    if not is_old and node.state != "success" and declared is not None and report.counts() != tuple(declared):
        shows = "still shows"
    return f"NVML {shows} {format_gpus(report.per_gpu())}"
