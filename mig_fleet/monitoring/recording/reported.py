"""GPU instances as the exporter reports them, under the catalog's names."""

from collections.abc import Iterable

from mig_fleet.model.gpus import GpuModel
from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.monitoring.promql import braces, in_pools, literal
from mig_fleet.monitoring.rules import Record, merged
from mig_fleet.monitoring.series import ACTIVITY, MEMORY_USED, NODE, REPORTED
from mig_fleet.monitoring.spellings import catalog_names


def reported_records(fleet: MonitoredFleet) -> tuple[Record, ...]:
    """One term for all pools of a GPU model: what a spelling means depends on the model."""
    return merged(Record(REPORTED, _reported(model, pools)) for model, pools in fleet.by_model().items())


def _reported(model: GpuModel, pools: Iterable[str]) -> str:
    # An instance that no pod has may lack the fields of the profiler; its memory is always known.
    rows = f"max by (node, uuid, profile, slice) ({ACTIVITY} or {MEMORY_USED})"
    rows = f"{rows} and on (node) {NODE}{braces(in_pools(pools))}"
    # Two rows with the same labels are an error. Two exporters of a node may spell the same slice differently.
    rows = f'label_join({rows}, "spelling", "", "profile")'
    for spelling, name in catalog_names(model).items():
        if spelling != name:
            rows = f'label_replace({rows}, "profile", "{name}", "spelling", "{literal(spelling)}")'
    return f"count by (node, profile) (group by (node, uuid, profile, slice) ({rows}))"
