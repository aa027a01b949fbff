"""Checks of a catalog entry beyond its types: within the GPU's limits, consistent with itself and with NVML's numbers.

Without them a mistyped digit would become a proof. An unlikely value is accepted: if a source gives no engine counts,
the maximum of instances cannot be derived, and the published one is used.
"""

import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import replace

from mig_fleet.model.gpus.evidence import Places
from mig_fleet.model.gpus.model import GpuModel, GpuProfile
from mig_fleet.model.short_repr import format_value

Fail = Callable[[str, str], Exception]
"""Makes the error for a path of the file and a reason."""

MOST_SMS = 256
"""A limit above every chip; the largest of the catalog, GB202, has 188 SMs in MIG mode."""

GPU_INSTANCES = {
    0: (1, ""), 1: (2, ""), 2: (3, ""), 3: (4, ""), 4: (7, ""), 5: (8, ""), 6: (6, ""),
    7: (1, "+me"), 8: (2, "+me"), 9: (1, ""), 10: (1, "+gfx"), 11: (2, "+gfx"), 12: (4, "+gfx"),
    13: (1, "-me"), 14: (2, "-me"), 15: (1, "+me.all"), 16: (2, "+me.all"), 17: (3, "+gfx"),
}  # fmt: skip
"""NVML's ``GPU_INSTANCE_PROFILE_*`` (nvml.h): compute slices and suffix; 9 is the double-memory 1g."""

COMPUTE_INSTANCES = {0: 1, 1: 2, 2: 3, 3: 4, 4: 7, 7: 1}
"""Compute-instance profile ids: compute slices; 7 is the one of Hopper's double-memory 1g."""

DRIVER = re.compile(r"R(\d{3})(?: \((?:\1(?:\.\d+){1,2}|JetPack \d+\.\d+)\))?")
"""A driver's branch and its first version or, for Thor, the JetPack release with it. Messages print it as "driver … or
newer", so doubts about it belong to the notes.
"""


LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


def check(gpu: GpuModel, fail: Fail) -> None:
    """Raises the error for the first mistake."""
    _check_model(gpu, fail)
    for name, row in gpu.profiles.items():
        table = f'profiles."{name}"'
        _check_identity(row, table, fail)
        _check_places(gpu, row, table, fail)
        _check_amounts(gpu, row, table, fail)
        _check_parts(row, table, fail)


def _check_model(gpu: GpuModel, fail: Fail) -> None:
    for key, text in (("name", gpu.name), ("short", gpu.short), ("architecture", gpu.architecture)):
        if not text.strip():
            raise fail(key, "must not be empty")
    if not LABEL_VALUE.fullmatch(gpu.short):
        raise fail("short", "must be a label value, because nodes are labelled with it")
    for key, slices in (("compute_slices", gpu.compute_slices), ("memory_slices", gpu.memory_slices)):
        if not 1 <= slices <= 64:
            raise fail(key, f"must be 1 to 64, found {slices}")
    if not 1 <= gpu.max_gpu_instances <= gpu.compute_slices:
        raise fail(
            "max_gpu_instances", f"must be 1 to the {gpu.compute_slices} compute slices, found {gpu.max_gpu_instances}"
        )
    if not gpu.profiles:
        raise fail("profiles", "must hold at least one")
    if not gpu.sources:
        raise fail("sources", "must name at least one source")
    _check_distinct("pci_device_ids", gpu.pci_device_ids, fail)
    _check_distinct("product_names", gpu.product_names, fail)
    if not all(map(str.strip, gpu.product_names)):
        raise fail("product_names", "must not hold an empty one")
    _check_distinct("profiles", (name for row in gpu.profiles.values() for name in row.names), fail)
    _check_numbers("nvml_enum", {row.name: row.nvml_enum for row in gpu.profiles.values()}, fail)
    _check_numbers("nvml_id", {row.name: row.nvml_id for row in gpu.profiles.values()}, fail)
    _check_driver("driver_min", gpu.driver_min, fail)
    for position, rule in enumerate(gpu.driver_rules):
        key = f"driver_rules[{position}].profiles"
        if unknown := sorted(set(rule.profiles) - set(gpu.profiles)):
            raise fail(key, f"this model does not have {', '.join(unknown)}")
        if len(set(rule.profiles)) < 2:
            raise fail(key, f"must name at least two profiles, found {list(rule.profiles)}")
        _check_driver(f"driver_rules[{position}].driver_min", rule.driver_min, fail)


def _check_identity(row: GpuProfile, table: str, fail: Fail) -> None:
    profile = row.profile
    if str(profile) != row.name or profile.is_split:
        raise fail(table, f"the key must be the canonical name, {profile.whole}")
    if row.compute_slices != profile.slices:
        raise fail(f"{table}.compute_slices", f"must be the {profile.slices} of the name, found {row.compute_slices}")
    suffix = str(profile).partition("gb")[2]
    if GPU_INSTANCES.get(row.nvml_enum) != (profile.slices, suffix):
        known = [str(number) for number, what in GPU_INSTANCES.items() if what == (profile.slices, suffix)]
        in_nvml = f"{profile.slices}g{suffix} is {' or '.join(known) or 'none'} in NVML"
        raise fail(f"{table}.nvml_enum", f"{in_nvml}, found {row.nvml_enum}")
    if not row.sources:
        raise fail(f"{table}.sources", "must name at least one source")
    _check_driver(f"{table}.driver_min", row.driver_min, fail)


def _check_places(gpu: GpuModel, row: GpuProfile, table: str, fail: Fail) -> None:
    grid = f"{gpu.compute_slices} compute and {gpu.memory_slices} memory slices"
    if not 1 <= row.compute_slices <= gpu.compute_slices or not 1 <= row.memory_slices <= gpu.memory_slices:
        raise fail(f"{table}.memory_slices", f"must lie within the GPU's {grid}")
    if bool(row.starts) != bool(row.size) or row.size not in (0, row.memory_slices):
        raise fail(f"{table}.size", f"must be the profile's {row.memory_slices} memory slices and come with starts")
    starts = list(row.starts)
    if starts != sorted(set(starts)) or any(start + row.size > gpu.memory_slices for start in starts):
        rule = f"must ascend and keep instances within {gpu.memory_slices} memory slices"
        raise fail(f"{table}.starts", f"{rule}, found {starts}")
    if bool(starts) == (row.placement_confidence is Places.NONE):
        raise fail(f"{table}.placement_confidence", f"must be {Places.NONE} if and only if there are no starts")


def _check_amounts(gpu: GpuModel, row: GpuProfile, table: str, fail: Fail) -> None:
    for name, mine, total in zip(row.engines.NAMES, row.engines, gpu.engines, strict=True):
        if mine is not None and total is not None and mine > total:
            raise fail(f"{table}.engines.{name}", f"must be at most the GPU's {total}, found {mine}")
    memory = max(row.memory_mib or 0, *row.memory_mib_other_drivers, 0)
    if gpu.total_memory_mib is not None and memory > gpu.total_memory_mib:
        raise fail(f"{table}.memory_mib", f"must be at most the GPU's {gpu.total_memory_mib} MiB, found {memory}")
    larger = [other.sm_count for other in gpu.profiles.values() if other.compute_slices > row.compute_slices]
    most = min((sms for sms in larger if sms is not None), default=MOST_SMS)
    if row.sm_count is not None and not row.compute_slices <= row.sm_count <= most:
        rule = f"must be {row.compute_slices} to {most}, the least of the profiles with more compute slices"
        raise fail(f"{table}.sm_count", f"{rule}, found {row.sm_count}")
    limit, exact = most_instances(gpu, row)
    if not 1 <= row.max_instances <= limit or (exact and row.max_instances != limit):
        rule = f"must be {limit}" if exact else f"must be 1 to {limit}"
        raise fail(f"{table}.max_instances", f"{rule} by placements, slices and engines, found {row.max_instances}")


def most_instances(gpu: GpuModel, row: GpuProfile) -> tuple[int, bool]:
    """The most instances of one profile by placements, slices and engines, and whether all of these facts are known."""
    disjoint = 0
    end = 0
    for start in row.starts:
        if start >= end:
            disjoint, end = disjoint + 1, start + row.size
    limits = [gpu.max_gpu_instances, gpu.compute_slices // row.compute_slices, *([disjoint] if row.starts else [])]
    limits += [
        total // mine for mine, total in zip(row.engines, gpu.engines, strict=True) if mine and total is not None
    ]
    return min(limits), bool(row.starts) and None not in (*row.engines, *gpu.engines)


def _check_parts(row: GpuProfile, table: str, fail: Fail) -> None:
    for position, part in enumerate(row.compute_instances):
        where = f"{table}.compute_instances[{position}]"
        if not 1 <= part.slices <= row.compute_slices:
            raise fail(f"{where}.slices", f"must be 1 to the profile's {row.compute_slices}, found {part.slices}")
        name = str(replace(row.profile, compute=part.slices))
        if part.name != name:
            raise fail(f"{where}.name", f"must be {name}, found {part.name}")
        if COMPUTE_INSTANCES.get(part.ci_profile_id) != part.slices:
            known = [str(number) for number, slices in COMPUTE_INSTANCES.items() if slices == part.slices]
            raise fail(f"{where}.ci_profile_id", f"must be {' or '.join(known)}, found {part.ci_profile_id}")
        if part.instances != row.compute_slices // part.slices:
            most = row.compute_slices // part.slices
            raise fail(f"{where}.instances", f"must be {most}, as many as fit, found {part.instances}")
        if part.sm_count is not None and not 1 <= part.sm_count <= (row.sm_count or MOST_SMS):
            most = row.sm_count or MOST_SMS
            raise fail(f"{where}.sm_count", f"must be 1 to the profile's {most}, found {part.sm_count}")
    _check_distinct(
        f"{table}.compute_instances", ((part.name, part.ci_profile_id) for part in row.compute_instances), fail
    )


def _check_numbers(key: str, numbers: Mapping[str, int | None], fail: Fail) -> None:
    owners: dict[int, str] = {}
    for name, number in numbers.items():
        if number in owners:
            raise fail(f'profiles."{name}".{key}', f"{number} is already the number of {owners[number]}")
        if number is not None:
            owners[number] = name


def _check_driver(key: str, driver: str | None, fail: Fail) -> None:
    if driver is not None and not DRIVER.fullmatch(driver):
        raise fail(key, f"must look like R550 (550.90.07), doubts belong to notes, found {format_value(driver)}")


def _check_distinct(path: str, values: Iterable[Hashable], fail: Fail) -> None:
    seen = set()
    for value in values:
        if value in seen:
            raise fail(path, f"duplicate {value}")
        seen.add(value)
