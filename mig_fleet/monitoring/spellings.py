"""How dcgm-exporter spells profiles.

Before 4.8.4 the GB of a name are the memory of the instance in GiB, rounded: an H100 NVL has ``1g.11gb`` for
``1g.12gb``, an A100-80GB ``7g.79gb`` for ``7g.80gb`` (dcgm-exporter #544, #713). Both follow from the memory that the
catalog has.
"""

from collections.abc import Mapping
from dataclasses import replace

from mig_fleet.model.gpus import GpuModel, GpuProfile, find


def catalog_names(gpu: GpuModel | str) -> Mapping[str, str]:
    """The catalog's name by every spelling that an exporter may have for a profile of this GPU model, its own included.

    Raises UnknownGpu.
    """
    model = find(gpu)
    found = {spelling: row.name for row in model.profiles.values() for spelling in _spellings(row)}
    return {**found, **{name: row.name for row in model.profiles.values() for name in row.names}}


def _spellings(row: GpuProfile) -> list[str]:
    sizes = (row.memory_mib, *row.memory_mib_other_drivers)
    return [str(replace(row.profile, memory_gb=(mib + 512) // 1024)) for mib in sizes if mib is not None]
