"""What the exporter reports of each slice."""

from mig_fleet.monitoring import series
from mig_fleet.monitoring.exporter.fields import DRAM, FB_FREE, FB_USED, GR_ENGINE, SM, TENSOR, XID
from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.monitoring.promql import exported
from mig_fleet.monitoring.rules import Record
from mig_fleet.monitoring.series import OF_POD, SLICE

OF_SLICES = 'GPU_I_ID!=""'
"""Selects the rows of slices."""
ROWS = (*SLICE, *OF_POD)

RATIOS = {
    series.ACTIVITY: GR_ENGINE,
    series.SM_ACTIVITY: SM,
    series.TENSOR_ACTIVITY: TENSOR,
    series.DRAM_ACTIVITY: DRAM,
}


def slice_records(fleet: MonitoredFleet) -> tuple[Record, ...]:
    job = fleet.exporter_job
    free = exported(FB_FREE, ROWS, job, OF_SLICES)
    return (
        *(
            # DCGM reports values up to 1.29 (DCGM #138, #152, #248).
            Record(name, f"clamp_max({exported(field, ROWS, job, OF_SLICES)}, 1)")
            for name, field in RATIOS.items()
        ),
        Record(series.MEMORY_USED, exported(FB_USED, ROWS, job, OF_SLICES)),
        # The memory that the driver reserves is neither used nor free.
        Record(series.MEMORY_RATIO, f"{series.MEMORY_USED} / ({series.MEMORY_USED} + {free})"),
        Record(series.XID, exported(XID, SLICE, job)),
    )
