"""The device plugin's MIG strategies: what each one advertises and when it fails. The user chooses ``mixed`` or
``single``; it is never derived from the layouts, for the reasons in docs/adr/0008.

================  =====================================================  =============================================
strategy          resources                                              fails when
================  =====================================================  =============================================
none              every GPU is one ``nvidia.com/gpu``                    never; it does not distinguish MIG devices
single            every MIG device is one ``nvidia.com/gpu``             a node mixes profiles, or MIG on and off, or
                                                                         has a GPU with MIG on and no slice
mixed             ``nvidia.com/mig-<profile>``; whole GPUs stay ``gpu``  a device is only a part of its GPU instance
================  =====================================================  =============================================

Source: k8s-device-plugin internal/rm and internal/lm; one device that fails stops the plugin of the whole node. Under
single the plugin serves two profiles of which NVML reports the same attributes (``1g.24gb`` and ``1g.24gb+gfx``); GPU
Feature Discovery labels such a node as invalid, so it counts as one that fails.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from mig_fleet.model.labels import GPU_RESOURCE
from mig_fleet.model.profiles import Profile

PerGpu = Sequence[Mapping[str, int] | None]
"""The MIG devices of a node: profile → count for each GPU, by index; None is a GPU without MIG."""


class Strategy(StrEnum):
    """Value of the chart's ``mig.strategy`` and of the label ``nvidia.com/mig.strategy``; one per cluster."""

    NONE = "none"
    SINGLE = "single"
    MIXED = "mixed"


DEFAULT: Final = Strategy.MIXED
"""It gives each profile its own resource, advertises whole GPUs as they are, and does not depend on the layouts. Single
hides the profile from the scheduler, so a user has to ask for it.
"""


def strategy_conflicts(strategy: Strategy, per_gpu: PerGpu) -> tuple[str, ...]:
    """Why this strategy cannot serve a node, as sentences; empty if it can."""
    enabled = [profiles for profiles in per_gpu if profiles is not None]
    if strategy is Strategy.NONE:
        return ("strategy none advertises whole GPUs, and CUDA would see one slice of each",) if enabled else ()
    names = sorted({name for profiles in enabled for name in profiles})
    if strategy is Strategy.MIXED:
        return tuple(
            f"{name} is part of a GPU instance, and one such device stops the device plugin of its node"
            for name in names
            if Profile.parse(name).is_split
        )
    conflicts = []
    if enabled and len(enabled) < len(per_gpu):
        conflicts.append("strategy single needs MIG on every GPU of a node or on none")
    if len(names) > 1:
        conflicts.append(f"strategy single needs one profile per node, found {', '.join(names)}")
    if any(not any(profiles.values()) for profiles in enabled):
        conflicts.append("strategy single needs slices on every GPU with MIG on")
    return tuple(conflicts)


def allocatable(strategy: Strategy, per_gpu: PerGpu) -> dict[str, int]:
    """The extended resources that a node advertises, sorted, without zeros."""
    if strategy is Strategy.NONE:
        return {GPU_RESOURCE: len(per_gpu)} if per_gpu else {}
    found: Counter[str] = Counter()
    for profiles in per_gpu:
        if profiles is None:
            found[GPU_RESOURCE] += 1
            continue
        for name, count in profiles.items():
            found[GPU_RESOURCE if strategy is Strategy.SINGLE else Profile.parse(name).resource] += count
    return {name: found[name] for name in sorted(found) if found[name]}
