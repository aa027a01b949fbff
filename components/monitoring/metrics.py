"""The metrics that dcgm-exporter must collect: those that exist per MIG instance, and a few of the whole board.

`DCGM_FI_DEV_GPU_UTIL` is left out on purpose: NVML does not support it under MIG (go-nvml nvml.h; dcgm-exporter #50,
#105, #216, #430). `DCGM_FI_PROF_GR_ENGINE_ACTIVE` takes its place.
"""

import hashlib
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Metric:
    """A row of the exporter's CSV; ``help`` must not contain a comma (dcgm-exporter counter_config.go)."""

    field: str
    kind: str
    help: str


METRICS: Final = (
    Metric(
        "DCGM_FI_PROF_GR_ENGINE_ACTIVE", "gauge", "Share of time the instance's graphics engine was active (0 to 1)."
    ),
    Metric("DCGM_FI_PROF_SM_ACTIVE", "gauge", "Share of cycles with a warp on the instance's SMs (0 to 1)."),
    Metric(
        "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "gauge", "Share of cycles the instance's tensor pipe was active (0 to 1)."
    ),
    Metric("DCGM_FI_PROF_DRAM_ACTIVE", "gauge", "Share of cycles the instance's memory interface was active (0 to 1)."),
    Metric("DCGM_FI_DEV_FB_USED", "gauge", "Frame buffer memory used by the instance (MiB)."),
    Metric("DCGM_FI_DEV_FB_FREE", "gauge", "Frame buffer memory free on the instance (MiB)."),
    Metric("DCGM_FI_DEV_XID_ERRORS", "gauge", "Last XID error seen."),
    Metric("DCGM_FI_DEV_POWER_USAGE", "gauge", "Power draw of the whole board (W)."),
    Metric("DCGM_FI_DEV_GPU_TEMP", "gauge", "Temperature of the whole board (C)."),
    Metric("DCGM_FI_DEV_MIG_MODE", "gauge", "Whether MIG is on (0 or 1)."),
    Metric("DCGM_FI_DEV_MIG_MAX_SLICES", "gauge", "Most GPU instances the board can hold."),
)

FILE: Final = "dcgm-metrics.csv"
"""The key that the GPU Operator mounts (object_controls.go, TransformDCGMExporter)."""


def metrics_csv() -> str:
    """The file, one row per metric."""
    return "".join(f"{metric.field}, {metric.kind}, {metric.help}\n" for metric in METRICS)


def metrics_config_map_name() -> str:
    """Includes a hash of the content: the operator mounts the file by subPath, so a change in place is never loaded."""
    return f"mig-fleet-metrics-{hashlib.sha256(metrics_csv().encode()).hexdigest()[:10]}"
