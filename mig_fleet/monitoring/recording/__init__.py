"""The recording rules of a fleet. They read raw series, and constants from the catalog; all else reads what they
record.

A group's records are evaluated in their order, and see what the ones before recorded. Groups run at the same time, so a
group may see what another one recorded an evaluation before.
"""

from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.monitoring.recording.constants import constant_records
from mig_fleet.monitoring.recording.cost import cost_records
from mig_fleet.monitoring.recording.declared import declared_records
from mig_fleet.monitoring.recording.demand import demand_records
from mig_fleet.monitoring.recording.gpus import gpu_records
from mig_fleet.monitoring.recording.nodes import node_records
from mig_fleet.monitoring.recording.reported import reported_records
from mig_fleet.monitoring.recording.slices import slice_records
from mig_fleet.monitoring.rules import Group

__all__ = ["recording_groups"]


def recording_groups(fleet: MonitoredFleet) -> list[Group]:
    """All groups, in an order in which each reads only what earlier ones record.

    Raises UnknownGpu, UnknownProfile, InvalidProfile, InvalidCount, InvalidRequest.
    """
    return [
        Group("mig-fleet-constants", constant_records(fleet)),
        Group("mig-fleet-nodes", node_records(fleet)),
        Group("mig-fleet-demand", demand_records(fleet)),
        Group("mig-fleet-exporter", (*slice_records(fleet), *gpu_records(fleet))),
        Group("mig-fleet-declared", (*declared_records(fleet), *reported_records(fleet))),
        Group("mig-fleet-cost", cost_records(fleet)),
    ]
