"""From parsed YAML to a :class:`PartedFile`: accepts exactly what NVIDIA's parser accepts.

NVIDIA's parser converts YAML to JSON and decodes the JSON (sigs.k8s.io/yaml, api/spec/v1/spec.go), so JSON's rules
apply: null is the zero value, a float without a fraction is an integer, keys that are numbers or booleans become
strings.
"""

from collections.abc import Mapping
from typing import Any

from mig_fleet.model.errors import InvalidPartedFile, InvalidProfile
from mig_fleet.model.parted.file import Entry, PartedFile
from mig_fleet.model.parted.keys import LARGEST_INT, key_text
from mig_fleet.model.profiles import Profile
from mig_fleet.model.short_repr import format_value


def read(document: object) -> PartedFile:
    """Raises InvalidPartedFile for the first thing that NVIDIA's parser would refuse, with its path in the document."""
    if document is None:  # An empty file: JSON's null leaves the zero value unchanged.
        return PartedFile({})
    top = _mapping("", document)
    if "version" not in top and top:
        raise InvalidPartedFile("", "missing 'version' field; it must be v1")
    version = "" if top.get("version") is None else top["version"]
    if not isinstance(version, str):
        raise InvalidPartedFile("version", f"must be a string, found {format_value(version)}")
    if version != "v1":
        raise InvalidPartedFile("version", f"must be v1, found {format_value(version)}")
    for key in top:
        if key not in ("version", "mig-configs"):
            raise InvalidPartedFile(key, "unexpected field; the fields of a file are version and mig-configs")
    if "mig-configs" not in top:
        return PartedFile({})
    configs = _mapping("mig-configs", top["mig-configs"])
    if not configs:
        raise InvalidPartedFile("mig-configs", "at least one entry is required")
    return PartedFile({name: _entries(f"mig-configs.{name}", entries) for name, entries in configs.items()})


def _entries(path: str, entries: object) -> tuple[Entry, ...]:
    if entries is not None and not isinstance(entries, list):
        raise InvalidPartedFile(path, f"must be a list of entries, found {format_value(entries)}")
    if not entries:
        raise InvalidPartedFile(path, "at least one entry is required")
    return tuple(_entry(f"{path}[{position}]", entry) for position, entry in enumerate(entries))


def _entry(path: str, data: object) -> Entry:
    entry = _mapping(path, data)
    for key in ("devices", "mig-enabled"):
        if key not in entry:
            raise InvalidPartedFile(path, f"missing required field {key!r}")
    for key in entry:
        if key not in ("device-filter", "devices", "mig-enabled", "mig-devices"):
            raise InvalidPartedFile(f"{path}.{key}", "unexpected field")
    enabled = entry["mig-enabled"]
    if enabled is not None and not isinstance(enabled, bool):
        raise InvalidPartedFile(f"{path}.mig-enabled", f"must be true or false, found {format_value(enabled)}")
    devices = entry.get("mig-devices")
    profiles = None if devices is None else _profiles(f"{path}.mig-devices", devices)
    if enabled and profiles is None:
        raise InvalidPartedFile(path, "missing required field 'mig-devices' when 'mig-enabled' is true")
    if not enabled and profiles:
        raise InvalidPartedFile(f"{path}.mig-devices", "MIG devices included when 'mig-enabled' is false")
    return Entry(
        _device_filter(f"{path}.device-filter", entry.get("device-filter")),
        _devices(f"{path}.devices", entry["devices"]),
        bool(enabled),
        profiles or {},
    )


def _device_filter(path: str, value: object) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(item is None or isinstance(item, str) for item in value):
        return tuple(item or "" for item in value)
    # A common mistake: 0x233010DE without quotes is a number.
    numbers = [item for item in (value if isinstance(value, list) else [value]) if type(item) is int]
    remedy = f'; write it quoted, "0x{numbers[0]:08X}"' if numbers else ""
    raise InvalidPartedFile(path, f"must be a string or a list of strings, found {format_value(value)}{remedy}")


def _devices(path: str, value: object) -> tuple[int, ...] | None:
    if value == "all":
        return None
    if not isinstance(value, list):
        raise InvalidPartedFile(path, f"must be all or a list of GPU indexes, found {format_value(value)}")
    return tuple(_integer(path, item) for item in value)


def _profiles(path: str, value: object) -> dict[str, int]:
    counts = {name: _integer(f"{path}.{name}", count) for name, count in _mapping(path, value).items()}
    for name, count in counts.items():
        try:
            Profile.parse(name)
        except InvalidProfile as error:
            raise InvalidPartedFile(path, str(error)) from None
        if count < 0:
            raise InvalidPartedFile(f"{path}.{name}", f"invalid count {count}")
    if counts and not any(counts.values()):
        raise InvalidPartedFile(path, "all counts are 0")
    return counts


def _integer(path: str, value: object) -> int:
    if value is None:
        return 0
    # JSON prints floats below 1e21 without an exponent, and a whole one without a fraction.
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -LARGEST_INT <= value < LARGEST_INT:
        raise InvalidPartedFile(path, f"must be a whole number, found {format_value(value)}")
    return value


def _mapping(path: str, value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidPartedFile(path, f"must be a mapping, found {format_value(value)}")
    return {_key(path, key): item for key, item in value.items()}


def _key(path: str, key: object) -> str:
    text = key_text(key)
    if text is None:
        raise InvalidPartedFile(path, f"a key must be a string, found {format_value(key)}")
    return text
