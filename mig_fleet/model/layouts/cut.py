"""How some GPUs of a node are cut, and how several cuts become one canonical form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from mig_fleet.model.errors import MigError, Problem, shown
from mig_fleet.model.gpus import GpuModel
from mig_fleet.model.placement.request import canonical

Counted = tuple[tuple[str, int], ...]


LARGEST = 2**63 - 1
"""No mig-parted file holds a larger number: its reader counts in Go's int."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What some GPUs of a node look like: ``devices`` None is all of them, ``profiles`` None is MIG off.

    It keeps what it was given: neither the caller's mapping nor its own can be changed under it later.
    """

    devices: tuple[int, ...] | None
    profiles: Mapping[str, int] | None

    def __post_init__(self) -> None:
        if isinstance(self.profiles, Mapping):
            object.__setattr__(self, "profiles", MappingProxyType(dict(self.profiles)))

    def __reduce__(self) -> tuple[object, ...]:
        return Cut, (self.devices, None if self.profiles is None else dict(self.profiles))


def settle(gpu: GpuModel, cuts: Sequence[Cut], paths: Sequence[str]) -> tuple[tuple[Cut, ...], list[Problem]]:
    """The canonical form, in which equal meaning is equal text, and what is wrong with it.

    ``paths`` say where the profiles of each cut were written. GPUs that look the same stand together, indexes ascend,
    aliases and zero counts are gone; a node without MIG is one cut of all.
    """
    problems: list[Problem] = []
    merged: dict[Counted | None, list[int] | None] = {}
    for cut, path in zip(cuts, paths, strict=True):
        profiles = None if cut.profiles is None else _profiles(gpu, cut.profiles, path, problems)
        before = merged.get(profiles)
        merged[profiles] = None if cut.devices is None else [*(before or ()), *cut.devices]
    problems += _device_problems(cuts, paths)
    if problems:
        return (), problems
    if set(merged) == {None}:
        return (Cut(None, None),), []
    settled = [
        Cut(None if devices is None else tuple(sorted(devices)), None if profiles is None else dict(profiles))
        for profiles, devices in merged.items()
    ]
    return tuple(sorted(settled, key=lambda cut: cut.devices or ())), []


def _profiles(gpu: GpuModel, profiles: Mapping[str, int], path: str, problems: list[Problem]) -> Counted:
    counts: dict[str, int] = {}
    good = True
    for name, count in profiles.items():
        try:
            for spelling, number in canonical(gpu, {name: count}):
                counts[spelling] = counts.get(spelling, 0) + number
        except MigError as error:
            problems.append(Problem(f"{path}.{name}", str(error)))
            good = False
    for spelling, number in counts.items():
        if number > LARGEST:
            problems.append(Problem(f"{path}.{spelling}", f"must be a count up to {LARGEST}, found {shown(number)}"))
    if good and not counts:
        problems.append(Problem(path, "holds no instance; for GPUs without MIG write disabled: true"))
    return tuple(sorted(counts.items()))


def _device_problems(cuts: Sequence[Cut], paths: Sequence[str]) -> list[Problem]:
    if not cuts:
        return [Problem("", "a layout says something about at least one GPU")]
    if len(cuts) > 1 and any(cut.devices is None for cut in cuts):
        return [Problem(paths[0], "all GPUs and some GPUs cannot stand in one layout")]
    problems: list[Problem] = []
    seen: set[int] = set()
    for cut, path in zip(cuts, paths, strict=True):
        where = f"{path.rpartition('.')[0]}.devices"
        if cut.devices is not None and not cut.devices:
            problems.append(Problem(where, "names no GPU"))
        for index in cut.devices or ():
            if isinstance(index, bool) or not isinstance(index, int) or index < 0:
                problems.append(Problem(where, f"GPU indexes are whole numbers from 0, found {shown(index)}"))
            elif index > LARGEST:
                problems.append(Problem(where, f"GPU indexes go up to {LARGEST}, found {shown(index)}"))
            elif index in seen:
                problems.append(Problem(where, f"GPU {index} stands there twice"))
            else:
                seen.add(index)
    return problems
