"""The probe on every MIG-capable node: a DaemonSet, the rights it needs and the program it runs."""

from mig_fleet.components.probe.component import MigProbe, MigProbeArgs

__all__ = ["MigProbe", "MigProbeArgs"]
