"""The Grafana dashboard: how busy and how full the slices are, per node and GPU."""

from typing import Any, Final

UID: Final = "mig-fleet-slices"
SCHEMA_VERSION: Final = 39
"""Grafana 10.3 and newer read this version and upgrade it when they load it."""

SLICE: Final = '{GPU_I_ID!=""}'
ACTIVITY: Final = f"DCGM_FI_PROF_GR_ENGINE_ACTIVE{SLICE}"
LEGEND: Final = "{{hostname}}{{Hostname}} GPU {{gpu}} {{GPU_I_PROFILE}} #{{GPU_I_ID}}"


def dashboard(slices_declared: int) -> dict[str, Any]:
    """Classic dashboard JSON; ``slices_declared`` is the fleet's total, printed in the first panel's description."""
    panels = [
        _panel("stat", "Slices reporting", f"count({ACTIVITY})", "short", 0, 0, 6,
               f"Slices that report their activity; the stack declares {slices_declared}."),
        _panel("stat", "Busy slices", f"count({ACTIVITY} > 0.01)", "short", 6, 0, 6,
               "Slices with an activity above 1 %."),
        _panel("stat", "Board power", "sum(max by (UUID) (DCGM_FI_DEV_POWER_USAGE))", "watt", 12, 0, 12,
               "Board fields repeat on every slice, so each board is counted once."),
        _panel("timeseries", "Activity per slice", f"clamp_max({ACTIVITY}, 1)",
               "percentunit", 0, 4, 12, "1 is a slice that is busy all the time, whatever its size."),
        _panel("timeseries", "Memory used per slice",
               f"DCGM_FI_DEV_FB_USED{SLICE} / (DCGM_FI_DEV_FB_USED + DCGM_FI_DEV_FB_FREE)",
               "percentunit", 12, 4, 12, "Servers that reserve all memory up front always show a full slice."),
    ]  # fmt: skip
    return {
        "uid": UID,
        "title": "MIG slices",
        "tags": ["mig-fleet", "nvidia"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": False,
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}]
        },
        "panels": [{"id": number, **panel} for number, panel in enumerate(panels, start=1)],
    }


def _panel(kind: str, title: str, expr: str, unit: str, x: int, y: int, width: int, about: str) -> dict[str, Any]:
    return {
        "type": kind,
        "title": title,
        "description": about,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "gridPos": {"x": x, "y": y, "w": width, "h": 4 if kind == "stat" else 9},
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "targets": [{"refId": "A", "expr": expr, "legendFormat": LEGEND}],
    }
