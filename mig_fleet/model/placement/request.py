"""What is asked for: counted profiles in canonical spelling, and the GPU instances they need."""

from collections import Counter
from collections.abc import Iterable, Mapping

from mig_fleet.model.errors import InvalidCount, InvalidRequest
from mig_fleet.model.gpus import GpuModel
from mig_fleet.model.profiles import Profile


def canonical(gpu: GpuModel, profiles: Mapping[str, int] | Iterable[str | Profile]) -> tuple[tuple[str, int], ...]:
    """Sorted (name, count) without zeros; aliases fall together. Raises InvalidRequest for anything that is no
    counted profiles, UnknownProfile, InvalidProfile, InvalidCount.
    """
    if isinstance(profiles, str) or not isinstance(profiles, Iterable):
        raise InvalidRequest("profiles", profiles, "counted, {'1g.10gb': 7}, or a list, ['3g.40gb', '1g.10gb']")
    pairs = profiles.items() if isinstance(profiles, Mapping) else ((name, 1) for name in profiles)
    counts: dict[str, int] = {}
    for name, count in pairs:
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise InvalidCount(str(name), count)
        spelling = name if isinstance(name, str) and name in gpu.profiles else _spelling(gpu, name)
        if count:
            counts[spelling] = counts.get(spelling, 0) + count
    return tuple(sorted(counts.items()))


def instances_of(gpu: GpuModel, request: Iterable[tuple[str, int]]) -> dict[str, int]:
    """The GPU instances that a request needs: whole profiles as they are, splits packed into as few instances as
    possible.
    """
    needed: Counter[str] = Counter()
    widths: dict[str, list[int]] = {}
    for name, count in request:
        profile = None if name in gpu.profiles else Profile.parse(name)
        if profile is None or not profile.is_split:
            needed[gpu.profile(name).name] += count
        else:
            # More parts than any GPU could hold are as impossible as one more than it could hold.
            parts = min(count, gpu.compute_slices * gpu.max_gpu_instances + 1)
            widths.setdefault(gpu.profile(profile.whole).name, []).extend([profile.compute] * parts)
    for whole, parts_of in widths.items():
        needed[whole] += _bins(sorted(parts_of, reverse=True), gpu.profiles[whole].compute_slices)
    return dict(needed)


def unsourced_parts(gpu: GpuModel, request: Iterable[tuple[str, int]]) -> tuple[str, ...]:
    """The instances asked for in parts of which no source says how they split, by the catalog's names."""
    asked = [Profile.parse(name) for name, _ in request if name not in gpu.profiles]
    rows = [gpu.profile(profile.whole) for profile in asked if profile.is_split]
    return tuple(dict.fromkeys(row.name for row in rows if row.parts_unsourced))


def spoken(gpu: GpuModel, request: Iterable[tuple[str, int]]) -> dict[str, str]:
    """The instances asked for of which boards differ in the name: the name as asked by the catalog's; where both are
    asked for, the catalog's.
    """
    if not gpu.boards_differ:
        return {}
    asked: dict[str, set[str]] = {}
    for name, _ in request:
        row = gpu.profile(name)
        if row.alternate_names:
            asked.setdefault(row.name, set()).add(str(Profile.parse(name).whole))
    return {row: names.pop() if len(names) == 1 else row for row, names in asked.items()}


def _bins(widths: Iterable[int], capacity: int) -> int:
    """How many instances of this capacity hold the widths, which come widest first; each goes where there is room.

    Exact for capacities up to 4. For wider ones it may be too many (3, 3, 2, 2, 2, 2 fill two of 7, and this says 3),
    but not where one is enough, and no GPU holds two instances that wide.
    """
    free: list[int] = []
    for width in widths:
        index = next((index for index, room in enumerate(free) if room >= width), None)
        if index is None:
            free.append(capacity - width)
        else:
            free[index] -= width
    return len(free)


def _spelling(gpu: GpuModel, name: str | Profile) -> str:
    profile = name if isinstance(name, Profile) else Profile.parse(name)
    gpu.profile(profile)
    return str(profile)
