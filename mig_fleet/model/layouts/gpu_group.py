"""The partitioning of some GPUs of a node, and the canonical form of several such groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from mig_fleet.model.errors import MigError
from mig_fleet.model.finding import Finding
from mig_fleet.model.gpus import GpuModel
from mig_fleet.model.placement.request import canonical
from mig_fleet.model.short_repr import format_value

LARGEST = 2**63 - 1
"""The largest number in a mig-parted file, because its reader uses Go's int."""

Counts = tuple[tuple[str, int], ...]
"""Canonical profiles and their counts, sorted."""


@dataclass(frozen=True, slots=True)
class GpuGroup:
    """Equally partitioned GPUs of a node: ``devices`` None is all GPUs, ``profiles`` None is MIG off.

    ``profiles`` is copied and read-only, so that a group never changes.
    """

    devices: tuple[int, ...] | None
    profiles: Mapping[str, int] | None

    def __post_init__(self) -> None:
        if isinstance(self.profiles, Mapping):
            object.__setattr__(self, "profiles", MappingProxyType(dict(self.profiles)))

    def __reduce__(self) -> tuple[object, ...]:
        return GpuGroup, (self.devices, None if self.profiles is None else dict(self.profiles))


def canonicalize(
    gpu: GpuModel, groups: Sequence[GpuGroup], paths: Sequence[str]
) -> tuple[tuple[GpuGroup, ...], list[Finding]]:
    """The groups in canonical form, in which layouts with the same meaning are equal; or no groups and the mistakes.

    ``paths`` are the places of each group's profiles, for the findings. In canonical form, equally partitioned GPUs are
    one group, indexes ascend, there are no aliases and no zero counts, and MIG off on every GPU is one group.
    """
    problems: list[Finding] = []
    merged: dict[Counts | None, list[int] | None] = {}
    for group, path in zip(groups, paths, strict=True):
        profiles = None if group.profiles is None else _canonical_profiles(gpu, group.profiles, path, problems)
        devices = merged.get(profiles)
        merged[profiles] = None if group.devices is None else [*(devices or ()), *group.devices]
    problems += _device_problems(groups, paths)
    if problems:
        return (), problems
    if set(merged) == {None}:
        return (GpuGroup(None, None),), []
    canonical_groups = [
        GpuGroup(None if devices is None else tuple(sorted(devices)), None if profiles is None else dict(profiles))
        for profiles, devices in merged.items()
    ]
    return tuple(sorted(canonical_groups, key=lambda group: group.devices or ())), []


def _canonical_profiles(gpu: GpuModel, profiles: Mapping[str, int], path: str, problems: list[Finding]) -> Counts:
    counts: dict[str, int] = {}
    valid = True
    for name, count in profiles.items():
        try:
            for spelling, number in canonical(gpu, {name: count}):
                counts[spelling] = counts.get(spelling, 0) + number
        except MigError as error:
            problems.append(Finding(f"{path}.{name}", str(error)))
            valid = False
    for spelling, number in counts.items():
        if number > LARGEST:
            problems.append(
                Finding(f"{path}.{spelling}", f"must be a count up to {LARGEST}, found {format_value(number)}")
            )
    if valid and not counts:
        problems.append(Finding(path, "has no instance; for GPUs without MIG write disabled: true"))
    return tuple(sorted(counts.items()))


def _device_problems(groups: Sequence[GpuGroup], paths: Sequence[str]) -> list[Finding]:
    if not groups:
        return [Finding("", "a layout must have at least one GPU")]
    if len(groups) > 1 and any(group.devices is None for group in groups):
        return [Finding(paths[0], "a layout must not have a group of all GPUs and another group")]
    problems: list[Finding] = []
    first: dict[int, str] = {}
    for group, path in zip(groups, paths, strict=True):
        where = f"{path.rpartition('.')[0]}.devices"
        if group.devices is not None and not group.devices:
            problems.append(Finding(where, "names no GPU"))
        for index in group.devices or ():
            if isinstance(index, bool) or not isinstance(index, int) or index < 0:
                problems.append(
                    Finding(where, f"GPU indexes must be whole numbers from 0, found {format_value(index)}")
                )
            elif index > LARGEST:
                problems.append(Finding(where, f"GPU indexes must be at most {LARGEST}, found {format_value(index)}"))
            elif index in first:
                problems.append(Finding(where, f"duplicate GPU {index}", also=first[index]))
            else:
                first[index] = where
    return problems
