"""Compares the slices that a layout declares with those that NVML reports. Pure."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter

from mig_fleet.model.formatting import format_profiles
from mig_fleet.model.report import Report
from mig_fleet.observed.drift import Difference, DriftClass

Profiles = Mapping[str, int] | None
"""One GPU's MIG devices: profile → count; ``None`` is MIG off."""


def bare_instances(node: str, report: Report) -> list[Difference]:
    """Most nodes have the same instances on all their GPUs, which are looked at once."""
    equal = groupby(report.gpus, attrgetter("instances"))
    return [
        Difference(DriftClass.BARE_INSTANCE, node, f"GPU {gpu.index}: {text}")
        for instances, gpus in equal
        if not all(it.compute_instances for it in instances)
        for gpu in gpus
        for text in gpu.format_bare_instances()
    ]


def slice_differences(node: str, expected: Sequence[Profiles], found: Sequence[Profiles]) -> list[Difference]:
    """NVML's counts per GPU. If no GPU of the node has a slice left, the layout was lost, for example by a reboot."""
    if len(expected) != len(found):
        gpus = "1 GPU" if len(expected) == 1 else f"{len(expected)} GPUs"
        return [Difference(DriftClass.GPU_COUNT, node, f"expected {gpus}, NVML reports {len(found)}")]
    if tuple(expected) == tuple(found):
        return []
    pairs = [(_without_zeros(want), _without_zeros(have)) for want, have in zip(expected, found, strict=True)]
    all_lost = all(not have for want, have in pairs if want) and any(want for want, _ in pairs)
    return [
        Difference(
            DriftClass.LAYOUT_LOST if all_lost and want else _slice_drift(want, have),
            node,
            f"GPU {index}: expected {format_profiles(want)}, found {format_profiles(have)}",
        )
        for index, (want, have) in enumerate(pairs)
        if want != have
    ]


def _slice_drift(want: Profiles, have: Profiles) -> DriftClass:
    extra = any(n > (want or {}).get(name, 0) for name, n in (have or {}).items())
    return DriftClass.SLICE_UNEXPECTED if extra or want is None else DriftClass.SLICE_MISSING


def _without_zeros(profiles: Profiles) -> dict[str, int] | None:
    return None if profiles is None else {name: n for name, n in profiles.items() if n}
