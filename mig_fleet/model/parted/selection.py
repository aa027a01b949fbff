"""The GPU models of the catalog that an entry selects, and the kinds of GPU that a config needs on one node."""

from collections.abc import Sequence

from mig_fleet.model.gpus import GpuModel, all_models
from mig_fleet.model.parted.file import Entry, filter_ids


def selected_models(entry: Entry) -> tuple[GpuModel, ...]:
    """The models that the entry's filter selects on at least one board: a layout that is impossible on a GPU model is
    impossible on each of its boards.
    """
    return tuple(
        model for model in all_models() if not entry.device_filter or any(map(entry.may_select, model.pci_device_ids))
    )


def kinds_of_one_node(entries: Sequence[Entry]) -> tuple[str, ...]:
    """The filters of a config that is for nodes with several kinds of GPU; empty if each of its nodes may have one.

    Either it turns MIG off on a GPU that is not in the catalog, such as one for a display, or its filters share out the
    indexes of one node.
    """
    filtered = [entry for entry in entries if entry.device_filter]
    kinds = tuple(dict.fromkeys(", ".join(entry.device_filter) for entry in filtered))
    is_apart = any(not entry.mig_enabled and _names_a_gpu(entry) and not selected_models(entry) for entry in filtered)
    has_slices = any(entry.mig_enabled and selected_models(entry) for entry in entries)
    return kinds if len(kinds) > 1 and ((is_apart and has_slices) or _share_indexes(filtered)) else ()


def _names_a_gpu(entry: Entry) -> bool:
    """Whether mig-parted can read a filter of it."""
    return any(0 not in filter_ids(word) for word in entry.device_filter)


def _share_indexes(entries: Sequence[Entry]) -> bool:
    """Whether each filter has indexes that no other has, and all of them are those of one node."""
    indexes: dict[tuple[str, ...], set[int]] = {}
    for entry in entries:
        if entry.devices is None:
            return False
        indexes.setdefault(entry.device_filter, set()).update(entry.devices)
    together = set[int]().union(*indexes.values())
    return sum(map(len, indexes.values())) == len(together) and together == set(range(len(together)))
