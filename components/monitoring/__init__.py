"""Monitoring of slices, generated from the layouts: dcgm-exporter's list of metrics, a dashboard, an alert per pool."""

from mig_fleet.components.monitoring.component import Monitoring, MonitoringArgs, metrics_list
from mig_fleet.components.monitoring.rules import WatchedPool, alert_rules

__all__ = ["Monitoring", "MonitoringArgs", "WatchedPool", "alert_rules", "metrics_list"]
