"""An alert before it has the address of its runbook."""

from dataclasses import dataclass

from mig_fleet.monitoring import series
from mig_fleet.monitoring.alerts.thresholds import Threshold
from mig_fleet.monitoring.rules import Alert

NOT_CHANGING = f"unless on (node) {series.CHANGING}"
"""Leaves out the nodes whose slices change, or that an update isolates: there, other slices than declared are no
fault.
"""
REPORTING = f"({series.POWER} or {series.ACTIVITY})"
"""A row for each GPU and slice of every node whose exporter is read."""


@dataclass(frozen=True, slots=True)
class Definition:
    """What an alert is about. The texts may have Prometheus' templates: ``{{ $labels.node }}``."""

    name: str
    expr: str
    threshold: Threshold
    summary: str
    description: str
    run: str
    """The first command of its runbook."""

    def alert(self, runbooks_url: str) -> Alert:
        """The rule; each runbook is the heading with the alert's name on the page at ``runbooks_url``."""
        return Alert(
            alert=self.name,
            expr=self.expr,
            wait=self.threshold.wait,
            labels={"severity": self.threshold.severity.value},
            annotations={
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{runbooks_url}#{self.name.lower()}",
                "run": self.run,
            },
        )
