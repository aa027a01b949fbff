"""The GPU models of the catalog that an entry selects."""

from mig_fleet.model.gpus import GpuModel, all_models
from mig_fleet.model.parted.file import Entry


def selected_models(entry: Entry) -> tuple[GpuModel, ...]:
    """The models that the entry's filter selects on at least one board: a layout that is impossible on a GPU model is
    impossible on each of its boards.
    """
    return tuple(
        model for model in all_models() if not entry.device_filter or any(map(entry.may_select, model.pci_device_ids))
    )
