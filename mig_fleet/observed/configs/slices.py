"""The slices that a config of the live layout file gives to the GPUs of one node. Pure."""

from collections.abc import Mapping
from typing import Any

from mig_fleet.documents import DocumentError
from mig_fleet.failures import Refused
from mig_fleet.model import parted
from mig_fleet.model.errors import MigError
from mig_fleet.model.parted import Entry
from mig_fleet.model.report import Gpu
from mig_fleet.model.strategy import PerGpu
from mig_fleet.observed.configs.layout_file import parse_live_file
from mig_fleet.observed.snapshot import Node


def slices_of(file: parted.PartedFile, config: str, node: Node) -> list[dict[str, int] | None]:
    """Profile → count for each GPU of the node's report. Raises :class:`Refused` if they are not known, and
    ``UnknownConfig``.
    """
    if node.report is None or node.report.errors or not node.report.gpus:
        raise Refused(f"the GPUs of {node.name} are not known: its probe has not reported them")
    file.select(config)
    found = [_entry(file, config, node.name, gpu) for gpu in sorted(node.report.gpus, key=lambda gpu: gpu.index)]
    return [dict(entry.mig_devices) if entry is not None and entry.mig_enabled else None for entry in found]


def known_slices(
    config_map: Mapping[str, Any] | None, targets: Mapping[str, str], nodes: Mapping[str, Node]
) -> dict[str, PerGpu | None]:
    """Node → the slices of its target by the live layout file; ``None`` if the file or the report does not show them,
    or if several entries of the config match one GPU (MIG Manager applies them one after the other).
    """
    found: dict[str, PerGpu | None] = dict.fromkeys(targets)
    try:
        file = parted.read(parse_live_file(config_map or {}))
    except (MigError, DocumentError):
        return found
    for name, config in targets.items():
        node = nodes[name]
        try:
            slices = slices_of(file, config, node)
        except (MigError, Refused):
            continue
        assert node.report is not None, "slices_of requires a report"
        matches = [[it for it in file.select(config) if it.matches(gpu.pci_id, gpu.index)] for gpu in node.report.gpus]
        found[name] = slices if all(len(entries) == 1 for entries in matches) else None
    return found


def _entry(file: parted.PartedFile, config: str, node: str, gpu: Gpu) -> Entry | None:
    if entry := file.board_specific_entry(config, gpu.pci_id, gpu.index):
        filters = ", ".join(entry.device_filter)
        raise Refused(
            f"the slices of GPU {gpu.index} of {node} under {config!r} are unknown: its device filter {filters} "
            "selects by subsystem ID, which reports do not include"
        )
    return file.for_gpu(config, gpu.pci_id, gpu.index)
