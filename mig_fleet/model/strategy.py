"""The device plugin's MIG strategy: what each one serves, offers and refuses. A fleet has ``mixed`` whatever its
layouts are; docs/adr/0008 says why.

================  =====================================================  =============================================
strategy          resources                                              fails when
================  =====================================================  =============================================
none              every GPU is one ``nvidia.com/gpu``                    never; MIG devices are not told apart
single            every MIG device is one ``nvidia.com/gpu``             a node mixes profiles, or MIG on and off
mixed             ``nvidia.com/mig-<profile>``; whole GPUs stay ``gpu``  a device is only a part of its GPU instance
================  =====================================================  =============================================

Source: k8s-device-plugin internal/rm and internal/lm; one failing device takes the plugin of the whole node down.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from mig_fleet.model.labels import GPU_RESOURCE
from mig_fleet.model.profiles import Profile

Cuts = Sequence[Mapping[str, int] | None]
"""What each GPU of a node looks like, by index; None is a GPU without MIG."""


class Strategy(StrEnum):
    """Value of the chart's ``mig.strategy`` and of the label ``nvidia.com/mig.strategy``; one per cluster."""

    NONE = "none"
    SINGLE = "single"
    MIXED = "mixed"


DEFAULT: Final = Strategy.MIXED
"""It tells every profile apart, hands out whole GPUs as they are, and does not depend on the layouts. One that followed
them would reach the nodes before their waves do: with the last layout gone, ``none`` would hand out GPUs that are still
cut, of which CUDA sees one slice each. Single hides the profile from the scheduler, so a user has to ask for it.
"""


def conflicts(strategy: Strategy, cuts: Cuts) -> tuple[str, ...]:
    """Why this strategy cannot serve one node, as sentences; empty when it can."""
    enabled = [cut for cut in cuts if cut is not None]
    if strategy is Strategy.NONE:
        return ("strategy none hands out whole GPUs, of which CUDA would see one slice each",) if enabled else ()
    profiles = sorted({name for cut in enabled for name in cut})
    if strategy is Strategy.MIXED:
        split = [name for name in profiles if Profile.parse(name).is_split]
        return tuple(
            f"{name} is part of a GPU instance, and one such device takes the device plugin of its node down"
            for name in split
        )
    problems = []
    if enabled and len(enabled) < len(cuts):
        problems.append("strategy single needs MIG on every GPU of a node or on none")
    if len(profiles) > 1:
        problems.append(f"strategy single needs one profile per node, found {', '.join(profiles)}")
    return tuple(problems)


def allocatable(strategy: Strategy, cuts: Cuts) -> dict[str, int]:
    """The extended resources a node offers, sorted, without zeros."""
    if strategy is Strategy.NONE:
        return {GPU_RESOURCE: len(cuts)} if cuts else {}
    found: Counter[str] = Counter()
    for cut in cuts:
        if cut is None:
            found[GPU_RESOURCE] += 1
            continue
        for name, count in cut.items():
            found[GPU_RESOURCE if strategy is Strategy.SINGLE else Profile.parse(name).resource] += count
    return {name: found[name] for name in sorted(found) if found[name]}
