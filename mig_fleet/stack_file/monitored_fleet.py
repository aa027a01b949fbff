"""What rules and dashboards must know of a stack: its pools, and the slices of every config that a node may have."""

from collections.abc import Mapping

from mig_fleet.documents import parse
from mig_fleet.model import labels, parted
from mig_fleet.model.errors import MigError
from mig_fleet.model.gpus import GpuModel
from mig_fleet.model.placement.request import canonical
from mig_fleet.model.strategy import PerGpu
from mig_fleet.monitoring.fleet import MonitoredFleet, MonitoredPool
from mig_fleet.observed.configs.layout_file import parse_configs
from mig_fleet.stack_file.fleet import Fleet


def monitored_fleet(fleet: Fleet, carried: str | None = None, wave_prefix: str = "") -> MonitoredFleet:
    """``carried`` are the configs of nodes that the stack does not declare: the output of
    :class:`~mig_fleet.components.layout_file.LayoutFile`, as
    :func:`~mig_fleet.observed.configs.layout_file.dump_configs` writes it.

    ``wave_prefix`` is what the names of waves have before the pool's. Each pool has every config that means something
    for its GPUs, because nodes also move from one pool to another.
    """
    declared = parted.read(parse(labels.LAYOUTS_CONFIG_MAP, parted.dump(fleet.layouts.values()).encode()).data)
    file = parted.PartedFile({**parse_configs(carried or ""), **declared.configs})
    kinds = {(pool.layout.model, pool.settings.gpus_per_node) for pool in fleet.pools}
    slices = {kind: _configs(file, *kind) for kind in kinds}
    monitoring = fleet.settings.monitoring
    return MonitoredFleet(
        pools=tuple(
            MonitoredPool(
                name=pool.name,
                gpu=pool.layout.gpu,
                gpus_per_node=pool.settings.gpus_per_node,
                configs=slices[pool.layout.model, pool.settings.gpus_per_node],
                price=fleet.prices.get(pool.layout.gpu),
            )
            for pool in fleet.pools
        ),
        strategy=fleet.strategy,
        basis=monitoring.cost_basis,
        exporter_job=monitoring.exporter_job,
        wave_prefix=wave_prefix,
    )


def _configs(file: parted.PartedFile, model: GpuModel, count: int) -> Mapping[str, PerGpu]:
    """The configs that mean something for nodes with ``count`` GPUs of a model."""
    found = {config: _slices(file, config, model, count) for config in sorted(file.configs)}
    return {config: slices for config, slices in found.items() if slices is not None}


def _slices(file: parted.PartedFile, config: str, model: GpuModel, count: int) -> PerGpu | None:
    """The profiles of each GPU by index; None if the config leaves a GPU as it is, has a profile that the model lacks,
    or differs between boards of the model.
    """
    found: list[list[parted.Entry]] = []
    # An entry without a device filter selects the GPUs of a model without known PCI device ids, too.
    for pci in model.pci_device_ids or ("",):
        entries = [file.for_gpu(config, pci, index) for index in range(count)]
        if any(file.board_specific_entry(config, pci, index) for index in range(count)):
            return None
        if any(entries):
            found.append([entry for entry in entries if entry])
    effects = [[(entry.mig_enabled, entry.mig_devices) for entry in entries] for entries in found]
    first = next(iter(effects), [])
    if len(first) < count or any(other != first for other in effects):
        return None
    try:
        return tuple(dict(canonical(model, profiles)) if enabled else None for enabled, profiles in first)
    except MigError:
        return None
