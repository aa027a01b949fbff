"""From the text of a catalog file to a :class:`GpuModel`; a malformed entry is refused with file, table and key.

Checked here, because everything else builds on it: types, no unknown keys, names in canonical spelling that agree with
the slices, placements inside the grid, counts that are positive, PCI ids in mig-parted's exact form, every source key
known.
"""

import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from mig.errors import InvalidCatalog, InvalidProfile
from mig.gpus.model import ComputeInstance, DriverRule, Engines, Geometry, GpuModel, GpuProfile
from mig.profiles import Profile

T = TypeVar("T")
_PCI_ID = re.compile(r"0x[0-9A-F]{4}10DE")
_ENGINES = ("copy", "dec", "enc", "jpeg", "ofa")


class Table:
    """One TOML table that knows where it stands and which of its keys nobody asked for."""

    def __init__(self, file: str, name: str, data: object) -> None:
        self.file, self.name = file, name
        if not isinstance(data, dict):
            raise InvalidCatalog(file, name, "", f"must be a table, found {data!r}")
        self._data: dict[str, Any] = dict(data)

    def error(self, key: str, why: str) -> InvalidCatalog:
        return InvalidCatalog(self.file, self.name, key, why)

    def take(self, key: str, kind: type[T]) -> T:
        value = self.take_optional(key, kind)
        if value is None:
            raise self.error(key, f"is missing; it must be {_WORDS[kind]}")
        return value

    def take_optional(self, key: str, kind: type[T]) -> T | None:
        value = self._data.pop(key, None)
        if value is None:
            return None
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.error(key, f"must be {_WORDS[kind]}, found {value!r}")
        if isinstance(value, int) and value < 0:
            raise self.error(key, f"must not be negative, found {value}")
        return value

    def take_list(self, key: str, kind: type[T]) -> tuple[T, ...]:
        values: list[T] = self.take_optional(key, list) or []
        for value in values:
            if not isinstance(value, kind) or isinstance(value, bool):
                raise self.error(key, f"must hold {_WORDS[kind]} only, found {value!r}")
        return tuple(values)

    def close(self, result: T) -> T:
        if self._data:
            raise self.error(next(iter(self._data)), "is not a key of this table")
        return result


_WORDS: Mapping[type, str] = {str: "a text", int: "a whole number", list: "a list", dict: "a table"}


def load(file: str, text: str, known_sources: Collection[str]) -> GpuModel:
    """Raises InvalidCatalog at the first key that is wrong."""
    try:
        top = Table(file, "", tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InvalidCatalog(file, "", "", f"is not TOML: {error}") from None
    compute_slices, memory_slices = top.take("compute_slices", int), top.take("memory_slices", int)
    model = GpuModel(
        name=top.take("name", str),
        short=top.take("short", str),
        product_names=top.take_list("product_names", str),
        product_names_confidence=top.take("product_names_confidence", str),
        pci_device_ids=_each(top, "pci_device_ids", _PCI_ID.fullmatch, "must look like 0x233010DE"),
        architecture=top.take("architecture", str),
        compute_capability=top.take_optional("compute_capability", str),
        memory_gb=top.take("memory_gb", int),
        total_memory_mib=top.take_optional("total_memory_mib", int),
        compute_slices=compute_slices,
        memory_slices=memory_slices,
        max_gpu_instances=top.take("max_gpu_instances", int),
        engines=_engines(top),
        driver_min=top.take_optional("driver_min", str),
        geometry=_geometry(top),
        confidence=top.take("confidence", str),
        sources=_each(top, "sources", known_sources.__contains__, "is not in sources.toml"),
        disagreements=top.take_list("disagreements", str),
        notes=top.take_list("notes", str),
        same_profiles_as=top.take_optional("same_profiles_as", str),
        driver_rules=tuple(_driver_rule(top, rule) for rule in top.take_list("driver_rules", dict)),
        profiles=MappingProxyType(
            {
                name: _profile(
                    Table(file, f'profiles."{name}"', row), name, compute_slices, memory_slices, known_sources
                )
                for name, row in top.take("profiles", dict).items()
            }
        ),
    )
    if unknown := {name for rule in model.driver_rules for name in rule.profiles} - set(model.profiles):
        raise top.error("driver_rules", f"names profiles this model does not have: {', '.join(sorted(unknown))}")
    return top.close(model)


def _profile(
    row: Table, name: str, compute_slices: int, memory_slices: int, known_sources: Collection[str]
) -> GpuProfile:
    try:
        profile = Profile.parse(name)
    except InvalidProfile as error:
        raise row.error("", str(error)) from None
    result = GpuProfile(
        name=name,
        profile=profile,
        compute_slices=row.take("compute_slices", int),
        memory_slices=row.take("memory_slices", int),
        memory_mib=row.take_optional("memory_mib", int),
        memory_mib_other_drivers=row.take_list("memory_mib_other_drivers", int),
        max_instances=row.take("max_instances", int),
        sm_count=row.take_optional("sm_count", int),
        engines=_engines(row),
        starts=row.take_list("starts", int),
        size=row.take_optional("size", int) or 0,
        nvml_enum=row.take("nvml_enum", int),
        nvml_id=row.take_optional("nvml_id", int),
        driver_min=row.take_optional("driver_min", str),
        confidence=row.take("confidence", str),
        placement_confidence=row.take("placement_confidence", str),
        sources=_each(row, "sources", known_sources.__contains__, "is not in sources.toml"),
        notes=row.take_list("notes", str),
        compute_instances=tuple(_compute_instance(row, item) for item in row.take_list("compute_instances", dict)),
    )
    if str(profile) != name or profile.is_split:
        raise row.error("", f"a profile stands under its canonical name, {profile.whole}")
    if result.compute_slices != profile.slices:
        raise row.error("compute_slices", f"must be the {profile.slices} of the name, found {result.compute_slices}")
    if not 1 <= result.compute_slices <= compute_slices or not 1 <= result.memory_slices <= memory_slices:
        raise row.error(
            "memory_slices", f"must lie within the GPU's {compute_slices} compute and {memory_slices} memory slices"
        )
    if result.max_instances < 1:
        raise row.error("max_instances", "must be at least 1")
    if bool(result.starts) != bool(result.size) or result.size not in (0, result.memory_slices):
        raise row.error("size", f"must be the profile's {result.memory_slices} memory slices and come with starts")
    if list(result.starts) != sorted(set(result.starts)) or any(s + result.size > memory_slices for s in result.starts):
        raise row.error(
            "starts",
            f"must ascend and keep instances within {memory_slices} memory slices, found {list(result.starts)}",
        )
    return row.close(result)


def _engines(table: Table) -> Engines:
    row = Table(table.file, f"{table.name}.engines" if table.name else "engines", table.take("engines", dict))
    return row.close(Engines(*(row.take_optional(name, int) for name in _ENGINES)))


def _compute_instance(table: Table, data: dict[str, Any]) -> ComputeInstance:
    row = Table(table.file, f"{table.name}.compute_instances", data)
    return row.close(
        ComputeInstance(
            name=row.take("name", str),
            ci_profile_id=row.take("ci_profile_id", int),
            slices=row.take("slices", int),
            instances=row.take("instances", int),
            sm_count=row.take_optional("sm_count", int),
        )
    )


def _driver_rule(table: Table, data: dict[str, Any]) -> DriverRule:
    row = Table(table.file, "driver_rules", data)
    return row.close(DriverRule(row.take_list("profiles", str), row.take("driver_min", str), row.take("source", str)))


def _geometry(table: Table) -> Geometry:
    word = table.take("geometry", str)
    if word not in set(Geometry):
        raise table.error("geometry", f"must be one of {', '.join(Geometry)}, found {word!r}")
    return Geometry(word)


def _each(table: Table, key: str, is_good: Callable[[str], object], why: str) -> tuple[str, ...]:
    values = table.take_list(key, str)
    for value in values:
        if not is_good(value):
            raise table.error(key, f"{value!r} {why}")
    return values
