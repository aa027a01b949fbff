"""Monitoring of slices, generated from the layouts: dcgm-exporter's list of metrics, rules and alerts, dashboards."""

from mig_fleet.components.monitoring.component import Monitoring, MonitoringArgs

__all__ = ["Monitoring", "MonitoringArgs"]
