"""Monitoring of slices, generated from the layouts: dcgm-exporter's list of metrics, rules and alerts, dashboards."""

from mig_fleet.components.monitoring.component import Monitoring
from mig_fleet.components.monitoring.declared import Monitored, MonitoredPoolArgs, MonitoringArgs

__all__ = ["Monitored", "MonitoredPoolArgs", "Monitoring", "MonitoringArgs"]
