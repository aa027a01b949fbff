"""Monitoring of slices: the exporter's list of metrics, recording rules, alerts, dashboards. Pure: nothing is read or
written here.
"""
