"""Writes ``config.yaml`` line by line: the same layouts always give the same bytes."""

from collections.abc import Iterable

from mig_fleet.model.labels import ALL_DISABLED
from mig_fleet.model.layouts import GpuGroup, Layout

_HEAD = """\
# Written by mig-fleet. Config names are never edited in place: a changed layout is a new name.
version: v1
mig-configs:
"""


def dump(layouts: Iterable[Layout]) -> str:
    """``all-disabled`` first, which is always written; then one config per config name, sorted.

    Each entry of the other configs has a device filter with the PCI device ids of its GPU model, so that a layout never
    applies to a GPU of another model. A model without PCI device ids can have no layout with MIG.
    """
    configs = {layout.config_name: layout for layout in layouts if not layout.is_disabled}
    blocks = [f"  {ALL_DISABLED}:\n    - devices: all\n      mig-enabled: false\n"]
    for name in sorted(configs):
        entries = "".join(_entry(group, configs[name].model.pci_device_ids) for group in configs[name].groups)
        blocks.append(f'  "{name}":\n{entries}')
    return _HEAD + "".join(blocks)


def _entry(group: GpuGroup, pci_device_ids: tuple[str, ...]) -> str:
    # Quoted, because mig-parted refuses an unquoted 0x233010DE, which is a number.
    quoted = ", ".join(f'"{device}"' for device in pci_device_ids)
    lines = [
        "devices: all" if group.devices is None else f"devices: [{', '.join(map(str, group.devices))}]",
        "mig-enabled: false" if group.profiles is None else "mig-enabled: true",
    ]
    if group.profiles is not None:
        lines.append("mig-devices:")
        lines += [f'  "{profile}": {count}' for profile, count in sorted(group.profiles.items())]
    return f"    - device-filter: [{quoted}]\n" + "".join(f"      {line}\n" for line in lines)
