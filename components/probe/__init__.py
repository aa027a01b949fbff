"""The probe on every MIG-capable node: a DaemonSet, its rights and its program."""

from mig_fleet.components.probe.component import MigProbe, MigProbeArgs

__all__ = ["MigProbe", "MigProbeArgs"]
