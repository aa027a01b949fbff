"""The series of a cluster over days, written at once: of a running fleet, or of one that never ran."""

from mig_fleet.simulator.history.openmetrics import Period, write
from mig_fleet.simulator.history.snapshot import Snapshot
from mig_fleet.simulator.history.synthetic import SyntheticNode, SyntheticPod, synthetic_snapshot

__all__ = ["Period", "Snapshot", "SyntheticNode", "SyntheticPod", "synthetic_snapshot", "write"]
