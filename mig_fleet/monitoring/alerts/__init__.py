"""Alerts about slices, nodes, demand and telemetry. They read recorded series, except where the alert is that nothing
can be recorded, and for resources that are no slices.
"""

from mig_fleet.monitoring.alerts import declared, demand, nodes, slices, telemetry
from mig_fleet.monitoring.alerts.thresholds import Thresholds
from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.monitoring.rules import Group


def alert_groups(fleet: MonitoredFleet, thresholds: Thresholds, runbooks_url: str) -> list[Group]:
    """The alerts that are on, by kind. ``runbooks_url`` is the address of docs/reference/monitoring.md."""
    kinds = {
        "slices": slices.definitions(thresholds),
        "nodes": nodes.definitions(thresholds),
        "demand": demand.definitions(thresholds),
        "declared": declared.definitions(thresholds),
        "telemetry": telemetry.definitions(fleet, thresholds),
    }
    return [
        Group(f"mig-fleet-alerts-{kind}", tuple(definition.alert(runbooks_url) for definition in definitions))
        for kind, definitions in kinds.items()
    ]
