"""NVIDIA's stock configs: the names of its default file, and what each means on a GPU model.

gpu-operator v26.7.0, assets/state-mig-manager; mig-parted v0.15.0, pkg/mig/builder.
"""

from typing import Any

from mig_fleet.model.gpus import GpuModel
from mig_fleet.model.labels import ALL_DISABLED
from mig_fleet.model.layouts import Layout
from mig_fleet.model.layouts.forms import balanced
from mig_fleet.model.profiles import Profile

ALL_ENABLED = "all-enabled"


def stock(config: str, gpu: GpuModel) -> Layout | None:
    """The layout of a config of NVIDIA's default file on a GPU model: ``all-1g.10gb.me``, ``all-balanced``; None for
    other names. Raises InvalidLayout for a model that cannot have a layout.
    """
    if config == ALL_DISABLED:
        return Layout.disabled(config, gpu.name)
    if config == "all-balanced":
        return Layout.uniform(config, gpu.name, balanced(gpu)) if balanced(gpu) else None
    # A label value cannot contain a +, so NVIDIA uses the spelling of the resource; it is compared with the profiles of
    # the GPU model.
    profile = config.removeprefix("all-")
    names = (name for row in gpu.profiles for name in gpu.names_of(row) if Profile.parse(name).kubernetes == profile)
    name = next(names, None)
    if name is None or profile == config:
        return None
    return Layout.uniform(config, gpu.name, {name: gpu.profile(name).max_instances})


def stock_entries(config: str, gpu: GpuModel) -> list[dict[str, Any]] | None:
    """A stock config as a mig-parted file has it, for this GPU model only; None for other names and for a model whose
    PCI device ids are not known. Raises InvalidLayout like :func:`stock`.
    """
    if not gpu.pci_device_ids:
        return None
    entry: dict[str, Any] = {"device-filter": list(gpu.pci_device_ids), "devices": "all"}
    if config == ALL_ENABLED:
        return [{**entry, "mig-enabled": True, "mig-devices": {}}]
    layout = stock(config, gpu)
    if layout is None:
        return None
    profiles = layout.groups[0].profiles
    if profiles is None:
        return [{**entry, "mig-enabled": False}]
    return [{**entry, "mig-enabled": True, "mig-devices": dict(profiles)}]
