"""The operator's own layout file, ``default-mig-parted-config``: NVIDIA's stock configs for every model of the catalog.

Names and meaning of gpu-operator v26.7.0 (assets/state-mig-manager, ConfigMap): ``all-disabled``, ``all-enabled``,
``all-balanced``, and ``all-<profile>`` with as many instances as fit, each for the GPU models that have the profile.
"""

from functools import cache

from mig_fleet.documents import dump
from mig_fleet.model.gpus import GpuModel, all_models
from mig_fleet.model.labels import ALL_DISABLED
from mig_fleet.model.profiles import Profile
from mig_fleet.model.stock_configs import stock
from mig_fleet.simulator.api import Json


@cache
def stock_layouts() -> str:
    """The file as text."""
    configs: dict[str, list[Json]] = {
        ALL_DISABLED: [{"devices": "all", "mig-enabled": False}],
        "all-enabled": [{"devices": "all", "mig-enabled": True, "mig-devices": {}}],
    }
    for model in all_models():
        for name in _names(model) if model.pci_device_ids else ():
            layout = stock(name, model)
            if layout is not None and (profiles := layout.groups[0].profiles):
                filters = list(model.pci_device_ids)
                configs.setdefault(name, []).append(
                    {"device-filter": filters, "devices": "all", "mig-enabled": True, "mig-devices": dict(profiles)}
                )
    lines = [f"  {dump(name)}: {dump(entries)}\n" for name, entries in configs.items()]
    return "".join(["version: v1\n", "mig-configs:\n", *lines])


def _names(model: GpuModel) -> list[str]:
    """A label value cannot contain a ``+``, so ``1g.10gb+me`` is ``all-1g.10gb.me``."""
    spellings = (name for row in model.profiles for name in model.names_of(row))
    return ["all-balanced", *(f"all-{Profile.parse(name).kubernetes}" for name in spellings)]
