"""A request: counted profiles in canonical spelling, and the GPU instances they need."""

from collections import Counter
from collections.abc import Iterable, Mapping

from mig_fleet.model.errors import InvalidCount, InvalidRequest
from mig_fleet.model.gpus import GpuModel, profile_of
from mig_fleet.model.profiles import Profile


def canonical(gpu: GpuModel, profiles: Mapping[str, int] | Iterable[str | Profile]) -> tuple[tuple[str, int], ...]:
    """Sorted (name, count) without zeros; aliases are added up.

    Raises InvalidRequest for anything but counted profiles, UnknownProfile, InvalidProfile, InvalidCount.
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
    """The GPU instances that a request needs, by the catalog's names: whole profiles as they are, parts packed into as
    few instances as possible.
    """
    needed: Counter[str] = Counter()
    widths: dict[str, list[int]] = {}
    for name, count in request:
        profile = None if name in gpu.profiles else Profile.parse(name)
        if profile is None or not profile.is_split:
            needed[gpu.profile(name).name] += count
        else:
            # One part more than the GPU could hold is as impossible as any larger number.
            parts = min(count, gpu.compute_slices * gpu.max_gpu_instances + 1)
            widths.setdefault(gpu.profile(profile.whole).name, []).extend([profile.compute] * parts)
    for whole, parts_of in widths.items():
        needed[whole] += _bins(sorted(parts_of, reverse=True), gpu.profiles[whole].compute_slices)
    return dict(needed)


def unsourced_parts(gpu: GpuModel, request: Iterable[tuple[str, int]]) -> tuple[str, ...]:
    """The requested instances that are split although no source states how, by the catalog's names."""
    requested = [Profile.parse(name) for name, _ in request if name not in gpu.profiles]
    rows = [gpu.profile(profile.whole) for profile in requested if profile.is_split]
    return tuple(dict.fromkeys(row.name for row in rows if row.parts_unsourced))


def board_specific_names(gpu: GpuModel, request: Iterable[tuple[str, int]]) -> dict[str, str]:
    """The requested instances for which boards report different names: the requested name by the catalog's name. If
    both are requested, the catalog's.
    """
    if not gpu.boards_differ:
        return {}
    requested: dict[str, set[str]] = {}
    for name, _ in request:
        row = gpu.profile(name)
        if row.alternate_names:
            requested.setdefault(row.name, set()).add(str(Profile.parse(name).whole))
    return {row: names.pop() if len(names) == 1 else row for row, names in requested.items()}


def _bins(widths: Iterable[int], capacity: int) -> int:
    """The number of instances of this capacity that hold the widths, given in descending order; first fit.

    Exact for capacities up to 4. For larger ones it may be too many (3, 3, 2, 2, 2, 2 fill two instances of 7, this
    returns 3), but not if one is enough, and no GPU holds two instances of that size.
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
    profile_of(gpu, profile)
    return str(profile)
