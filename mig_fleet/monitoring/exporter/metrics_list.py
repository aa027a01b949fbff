"""The list of metrics that dcgm-exporter reads, as a CSV file, and the name of its ConfigMap."""

import hashlib
from typing import Final

from mig_fleet.monitoring.exporter.fields import LISTED, Generation

FILE: Final = "dcgm-metrics.csv"
"""The key that the GPU Operator mounts (object_controls.go, TransformDCGMExporter)."""


def metrics_csv(generation: Generation) -> str:
    """One row per field: name, kind, help with the unit. The file replaces the exporter's own list."""
    rows = ((field.listed(generation), field.help) for field in LISTED)
    return "".join(f"{spelling.name}, gauge, {text} ({spelling.unit}).\n" for spelling, text in rows)


def metrics_config_map_name(generation: Generation) -> str:
    """Has a hash of the content: the operator mounts the file by subPath, so a change in place is never read."""
    return f"mig-fleet-metrics-{hashlib.sha256(metrics_csv(generation).encode()).hexdigest()[:10]}"
