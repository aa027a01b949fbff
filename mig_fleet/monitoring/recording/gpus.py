"""What the exporter reports of each GPU. A value of the board is on the row of every slice, and taken once here."""

from mig_fleet.monitoring import series
from mig_fleet.monitoring.exporter.fields import GR_ENGINE, MEMORY_CLOCK, MIG_MODE, POWER, TEMPERATURE
from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.monitoring.promql import by, exported
from mig_fleet.monitoring.rules import Record
from mig_fleet.monitoring.series import GPU, OF_POD

BOARDS = {series.POWER: POWER, series.TEMPERATURE: TEMPERATURE, series.MEMORY_CLOCK: MEMORY_CLOCK}

OF_GPUS = 'GPU_I_ID=""'
"""Selects the rows of GPUs."""


def gpu_records(fleet: MonitoredFleet) -> tuple[Record, ...]:
    """They follow the records of slices in the same group: at no moment is a GPU both whole and in slices."""
    return (
        *(Record(name, exported(field, GPU, fleet.exporter_job)) for name, field in BOARDS.items()),
        Record(series.WHOLE_GPU_ACTIVITY, _whole(fleet.exporter_job)),
        Record(series.GPU_ACTIVITY, _weighted()),
    )


def _whole(job: str) -> str:
    """An exporter that watches GPUs as well as slices (``-d g+i``) has a row for a GPU with MIG, too."""
    rows = f"clamp_max({exported(GR_ENGINE, (*GPU, *OF_POD), job, OF_GPUS)}, 1)"
    mode = exported(MIG_MODE, GPU, job, OF_GPUS)
    return f"{rows} unless on (node, uuid) {series.ACTIVITY} unless on (node, uuid) {mode} == 1"


def _weighted() -> str:
    """Pods that share a slice have a row each; the slice counts once."""
    in_pool = f"({series.ACTIVITY} or {series.WHOLE_GPU_ACTIVITY}) * on (node) group_left (pool) {series.NODE}"
    weighted = f"{in_pool} * on (pool, profile) group_left () {series.PROFILE_COMPUTE}"
    once = f"max{by((*GPU, 'slice', 'pool'))} ({weighted})"
    return f"sum{by((*GPU, 'pool'))} ({once}) / on (pool) group_left () {series.GPU_COMPUTE}"
