"""Which GPU models of the catalog an entry selects."""

from mig_fleet.model.gpus import GpuModel, all_models
from mig_fleet.model.parted.file import Entry


def models_concerned(entry: Entry) -> tuple[GpuModel, ...]:
    """The models that an entry's filter selects on one board at least: what a chip cannot do, no board of it can."""
    return tuple(
        model for model in all_models() if not entry.device_filter or any(map(entry.may_select, model.pci_device_ids))
    )
