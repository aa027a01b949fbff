"""The content of a mig-parted file, with NVIDIA's meaning (mig-parted api/spec/v1, pkg/types/device.go)."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mig_fleet.model.errors import UnknownConfig

# Go's strconv.ParseInt(text, 0, 32).
_NUMBER = re.compile(
    r"([+-]?)(?:0[xX]_?([0-9a-fA-F]+(?:_[0-9a-fA-F]+)*)|0[bB]_?([01]+(?:_[01]+)*)|0[oO]?_?([0-7]+(?:_[0-7]+)*)|([1-9][0-9]*(?:_[0-9]+)*|0))"
)
_BASES = (16, 2, 8, 10)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a config: the GPUs that it selects, and their MIG mode and devices.

    ``device_filter`` and the profile names are as written in the file. An empty ``device_filter`` selects every GPU;
    ``devices`` None means ``all``; ``mig_devices`` maps profiles to counts per GPU.
    """

    device_filter: tuple[str, ...]
    devices: tuple[int, ...] | None
    mig_enabled: bool
    mig_devices: Mapping[str, int]

    def matches(self, pci_device_id: str, index: int) -> bool:
        """Whether mig-parted applies this entry to the GPU with this index and device id (``0x233010DE``) on every
        board.

        A filter that mig-parted cannot parse matches no GPU, because mig-parted drops the parse error
        (``newDeviceID, _ :=``).
        """
        return self.selects(pci_device_id) and (self.devices is None or index in self.devices)

    def selects(self, pci_device_id: str) -> bool:
        """Whether the device filter selects GPUs with this device id on every board, whatever their index."""
        return not self.device_filter or any(
            _names(word, pci_device_id) and filter_ids(word)[1] is None for word in self.device_filter
        )

    def may_match(self, pci_device_id: str, index: int) -> bool:
        """Whether mig-parted applies this entry to the GPU with this index and device id on at least one board."""
        return self.may_select(pci_device_id) and (self.devices is None or index in self.devices)

    def may_select(self, pci_device_id: str) -> bool:
        """Whether the device filter selects GPUs with this device id on at least one board: the board with the
        subsystem id that the filter names.
        """
        return not self.device_filter or any(_names(word, pci_device_id) for word in self.device_filter)

    def restricted_to(self, pci_device_ids: Collection[str]) -> "Entry | None":
        """The same entry for GPUs with these device ids only; None if it selects none of them on any board."""
        words = tuple(word for word in self.device_filter if any(_names(word, pci) for pci in pci_device_ids))
        words = words if self.device_filter else tuple(sorted(pci_device_ids))
        return replace(self, device_filter=words) if words else None

    def to_data(self) -> dict[str, Any]:
        """The entry as plain data, which :func:`mig_fleet.model.parted.read` reads back as an equal entry."""
        data: dict[str, Any] = {"device-filter": list(self.device_filter)} if self.device_filter else {}
        data["devices"] = "all" if self.devices is None else list(self.devices)
        data["mig-enabled"] = self.mig_enabled
        return {**data, "mig-devices": dict(self.mig_devices)} if self.mig_enabled else data


@dataclass(frozen=True, slots=True)
class PartedFile:
    """All configs of a file by name. If this value can be built, mig-parted's ``assert --valid-config`` passes."""

    configs: Mapping[str, tuple[Entry, ...]]

    def select(self, name: str) -> tuple[Entry, ...]:
        """The entries of a config, in the order of the file; raises UnknownConfig."""
        if name not in self.configs:
            raise UnknownConfig(name, tuple(sorted(self.configs)))
        return self.configs[name]

    def for_gpu(self, name: str, pci_device_id: str, index: int) -> Entry | None:
        """The entry that a config applies last to one GPU, or None. Raises UnknownConfig.

        The GPU's board is unknown here, so an entry that selects by subsystem id never matches; see
        :meth:`board_specific_entry`.
        """
        return next((entry for entry in reversed(self.select(name)) if entry.matches(pci_device_id, index)), None)

    def board_specific_entry(self, name: str, pci_device_id: str, index: int) -> Entry | None:
        """The entry that applies to one GPU only if the GPU is on the board that the filter names. None if
        :meth:`for_gpu` is right for every board. Raises UnknownConfig.
        """
        for entry in reversed(self.select(name)):
            if entry.matches(pci_device_id, index):
                return None
            if entry.may_match(pci_device_id, index):
                return entry
        return None


def device_id(text: str) -> int:
    """The 32-bit number of a device id as mig-parted parses it; 0, which is no GPU, if mig-parted cannot parse it."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return 0
    base, digits = next(
        (base, digits) for base, digits in zip(_BASES, match.groups()[1:], strict=True) if digits is not None
    )
    value = int(digits.replace("_", "")[-40:], base) if len(digits) <= 40 else 1 << 32
    value = -value if match[1] == "-" else value
    return value & 0xFFFFFFFF if -(1 << 31) <= value < 1 << 31 else 0


def filter_ids(word: str) -> tuple[int, int | None]:
    """The device id and, if there is one, the subsystem id of a filter (``0x233010DE:0x16C110DE``, supported by
    mig-parted v0.15.0 and newer). An id that cannot be parsed is 0, and a filter with a 0 matches no GPU.
    """
    device, colon, subsystem = word.partition(":")
    return device_id(device), device_id(subsystem) if colon else None


def _names(word: str, pci_device_id: str) -> bool:
    """Whether a filter names this device id, on any board."""
    device, board = filter_ids(word)
    return 0 not in (device, board) and device == device_id(pci_device_id)
