"""The text of ``config.yaml``, written line by line: the same layouts always give the same bytes."""

from collections.abc import Iterable

from mig_fleet.model.labels import ALL_DISABLED
from mig_fleet.model.layouts import Cut, Layout

_HEAD = """\
# Written by mig-fleet. Config names are never edited in place: a changed layout is a new name.
version: v1
mig-configs:
"""


def dump(layouts: Iterable[Layout]) -> str:
    """One config per config name, sorted, ``all-disabled`` first among them whether a layout is disabled or not.

    Each entry of the others is bound to its GPU model by PCI device ids, so that a layout cannot reach a GPU it was not
    written for; a :class:`Layout` of a model that has none cannot be made.
    """
    configs = {layout.config_name: layout for layout in layouts if not layout.is_disabled}
    blocks = [f"  {ALL_DISABLED}:\n    - devices: all\n      mig-enabled: false\n"]
    for name in sorted(configs):
        entries = "".join(_entry(cut, configs[name].model.pci_device_ids) for cut in configs[name].cuts)
        blocks.append(f'  "{name}":\n{entries}')
    return _HEAD + "".join(blocks)


def _entry(cut: Cut, pci_device_ids: tuple[str, ...]) -> str:
    # The quotes are needed: an unquoted 0x233010DE is a number, which mig-parted refuses.
    quoted = ", ".join(f'"{device}"' for device in pci_device_ids)
    lines = [
        "devices: all" if cut.devices is None else f"devices: [{', '.join(map(str, cut.devices))}]",
        "mig-enabled: false" if cut.profiles is None else "mig-enabled: true",
    ]
    if cut.profiles is not None:
        lines.append("mig-devices:")
        lines += [f'  "{profile}": {count}' for profile, count in sorted(cut.profiles.items())]
    return f"    - device-filter: [{quoted}]\n" + "".join(f"      {line}\n" for line in lines)
