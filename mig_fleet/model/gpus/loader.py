"""From the text of a catalog file to a :class:`GpuModel`; a malformed entry is refused with file, table and key.

Checked here: types, no unknown keys, values from fixed lists, PCI ids in mig-parted's exact form, known source keys.
:mod:`mig_fleet.model.gpus.checks` checks the numbers.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import replace
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import TypeVar

from mig_fleet.model.errors import InvalidCatalog, InvalidProfile
from mig_fleet.model.gpus.checks import check
from mig_fleet.model.gpus.evidence import Evidence, Geometry, Naming, Places
from mig_fleet.model.gpus.model import (
    AlternateName,
    ComputeInstance,
    DriverRule,
    Engines,
    GpuModel,
    GpuProfile,
    OtherBoard,
)
from mig_fleet.model.profiles import Profile
from mig_fleet.model.reading import Reader
from mig_fleet.model.short_repr import format_value

_PCI_ID = re.compile(r"0x[0-9A-F]{4}10DE")
_SUBSYSTEM = re.compile(r"[0-9A-F]{4}")
W = TypeVar("W", bound=StrEnum)


def load(file: str, text: str, known_sources: Collection[str]) -> GpuModel:
    """Raises InvalidCatalog for the first mistake."""
    import tomllib  # takes 7 ms, so only a look-up loads it

    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidCatalog(file, "", "", f"is not TOML: {error}") from None
    fail = partial(_error, file)
    top = Reader("", document, fail)
    model = GpuModel(
        name=top.take("name", str),
        short=top.take("short", str),
        product_names=top.take_list("product_names", str),
        product_names_confidence=_word(top, "product_names_confidence", Naming),
        pci_device_ids=_each(top, "pci_device_ids", _PCI_ID.fullmatch, "must look like 0x233010DE"),
        other_boards=tuple(_other_board(row, known_sources) for row in top.each_optional("other_boards")),
        architecture=top.take("architecture", str),
        compute_capability=top.take_optional("compute_capability", str),
        memory_gb=top.take("memory_gb", int),
        total_memory_mib=top.take_optional("total_memory_mib", int),
        compute_slices=top.take("compute_slices", int),
        memory_slices=top.take("memory_slices", int),
        max_gpu_instances=top.take("max_gpu_instances", int),
        engines=_engines(top),
        driver_min=top.take_optional("driver_min", str),
        geometry=_word(top, "geometry", Geometry),
        confidence=_word(top, "confidence", Evidence),
        sources=_each(top, "sources", known_sources.__contains__, "is not in sources.toml"),
        disagreements=top.take_list("disagreements", str),
        notes=top.take_list("notes", str),
        same_profiles_as=top.take_optional("same_profiles_as", str),
        driver_rules=tuple(_driver_rule(row, known_sources) for row in top.each_optional("driver_rules")),
        profiles=MappingProxyType(
            {
                name: _profile(Reader(f'profiles."{name}"', row, fail), name, known_sources)
                for name, row in top.take("profiles", dict).items()
            }
        ),
    )
    top.close(model)
    check(model, fail)
    return model


def _profile(row: Reader, name: str, known_sources: Collection[str]) -> GpuProfile:
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
        confidence=_word(row, "confidence", Evidence),
        placement_confidence=_word(row, "placement_confidence", Places),
        sources=_each(row, "sources", known_sources.__contains__, "is not in sources.toml"),
        notes=row.take_list("notes", str),
        compute_instances=tuple(map(_compute_instance, row.each("compute_instances"))),
        alternate_names=tuple(
            _alternate_name(item, profile, known_sources) for item in row.each_optional("alternate_names")
        ),
    )
    return row.close(result)


def _engines(table: Reader) -> Engines:
    row = table.inner("engines")
    return row.close(Engines(*(row.take_optional(name, int) for name in Engines.NAMES)))


def _compute_instance(row: Reader) -> ComputeInstance:
    return row.close(
        ComputeInstance(
            name=row.take("name", str),
            ci_profile_id=row.take("ci_profile_id", int),
            slices=row.take("slices", int),
            instances=row.take("instances", int),
            sm_count=row.take_optional("sm_count", int),
        )
    )


def _alternate_name(row: Reader, profile: Profile, known_sources: Collection[str]) -> AlternateName:
    result = AlternateName(row.take("name", str), row.take("where", str), row.take("source", str))
    _check_source(row, result.source, known_sources)
    try:
        other = Profile.parse(result.name)
    except InvalidProfile as error:
        raise row.error("name", str(error)) from None
    if str(replace(other, memory_gb=profile.memory_gb)) != str(profile) or str(other) != result.name:
        raise row.error("name", f"must be {profile} with another memory, found {format_value(result.name)}")
    return row.close(result)


def _other_board(row: Reader, known_sources: Collection[str]) -> OtherBoard:
    result = OtherBoard(
        name=row.take("name", str),
        memory_gb=row.take("memory_gb", int),
        subsystem_devices=_each(row, "subsystem_devices", _SUBSYSTEM.fullmatch, "must look like 227A"),
        source=row.take("source", str),
    )
    _check_source(row, result.source, known_sources)
    return row.close(result)


def _driver_rule(row: Reader, known_sources: Collection[str]) -> DriverRule:
    result = DriverRule(row.take_list("profiles", str), row.take("driver_min", str), row.take("source", str))
    _check_source(row, result.source, known_sources)
    return row.close(result)


def _check_source(row: Reader, source: str, known_sources: Collection[str]) -> None:
    if source not in known_sources:
        raise row.error("source", f"{format_value(source)} is not in sources.toml")


def _word(table: Reader, key: str, words: type[W]) -> W:
    word = table.take(key, str)
    if word not in set(words):
        raise table.error(key, f"must be one of {', '.join(words)}, found {format_value(word)}")
    return words(word)


def _each(table: Reader, key: str, is_good: Callable[[str], object], why: str) -> tuple[str, ...]:
    values = table.take_list(key, str)
    for value in values:
        if not is_good(value):
            raise table.error(key, f"{format_value(value)} {why}")
    return values


def _error(file: str, path: str, why: str) -> InvalidCatalog:
    """``profiles."1g.10gb".size`` is key ``size`` of table ``profiles."1g.10gb"``."""
    table, key = (path, "") if path.endswith('"') else path.rpartition(".")[::2]
    return InvalidCatalog(file, table, key, why)
