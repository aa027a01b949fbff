"""The order in which to create instances, so that a driver that chooses the starts places them all.

The driver's rule is unverified on hardware (:mod:`~mig_fleet.model.placement.driver`). So an order that works with
the highest and with the lowest free start is preferred to an order that works only with the highest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mig_fleet.model.placement.driver import highest_free, lowest_free
from mig_fleet.model.placement.grid import CompiledProfile, search

NEEDS_EXPLICIT_STARTS = (
    "explicit starts (nvidia-smi mig -cgi <id>:<start>): a driver that chooses the starts itself does not produce "
    "these placements"
)
"""Requirement of instances that no order of creation places; no model of the catalog has any."""

NEEDS_HIGHEST_START = (
    "a driver that takes the highest free start, as published outputs show; with another driver, set each instance's "
    "start (nvidia-smi mig -cgi <id>:<start>); mig-parted tries every order by itself"
)
"""Requirement of an order that fails with a driver that takes the lowest free start."""

Step = tuple[CompiledProfile, int]
"""An instance to create and its start."""


@dataclass(frozen=True, slots=True)
class CreationOrder:
    """Instances in the order of their creation, each with its start, and what is required for them to succeed."""

    steps: Sequence[Step]
    requires: tuple[str, ...] = ()


def find_creation_order(profiles: Sequence[CompiledProfile], taken: int = 0) -> CreationOrder | None:
    """How to create instances beside the memory slices in ``taken`` (a bit per slice); None if they do not fit.

    An order that works under both rules; else largest first, the order of ``profiles``: under the rule of the highest
    start that always works if they fit (a test tries every layout of every model around any instances that may be
    present).
    """
    largest_first = _place_in_order(profiles, taken)
    starts = [] if largest_first else search(profiles, taken)
    if starts is None:
        return None
    if largest_first and _works_with_lowest_starts(profiles, taken):
        return CreationOrder(largest_first)
    if (steps := _order_for_both_rules(tuple(profiles), taken, taken, set())) is not None:
        return CreationOrder(steps)
    if largest_first:
        return CreationOrder(largest_first, (NEEDS_HIGHEST_START,))
    return CreationOrder(list(zip(profiles, starts, strict=True)), (NEEDS_EXPLICIT_STARTS,))


def _place_in_order(profiles: Iterable[CompiledProfile], taken: int) -> list[Step] | None:
    steps = []
    for profile in profiles:
        place = highest_free(profile, taken)
        if place is None:
            return None
        steps.append((profile, place[0]))
        taken |= place[1]
    return steps


def _works_with_lowest_starts(profiles: Iterable[CompiledProfile], taken: int) -> bool:
    for profile in profiles:
        place = lowest_free(profile, taken)
        if place is None:
            return False
        taken |= place[1]
    return True


def _order_for_both_rules(
    rest: tuple[CompiledProfile, ...],
    high: int,
    low: int,
    failed: set[tuple[tuple[CompiledProfile, ...], int, int]],
) -> list[Step] | None:
    """The first order that works under both rules, larger instances as early as possible, with the starts of the
    highest-start rule. ``high`` and ``low`` are the memory slices taken under each rule.
    """
    if not rest:
        return []
    if (rest, high, low) in failed:
        return None
    previous = None
    for position, profile in enumerate(rest):
        if profile is previous:
            continue
        previous = profile
        top = highest_free(profile, high)
        bottom = lowest_free(profile, low)
        if top is None or bottom is None:
            break  # Creating others first never frees slices for this one.
        others = rest[:position] + rest[position + 1 :]
        steps = _order_for_both_rules(others, high | top[1], low | bottom[1], failed)
        if steps is not None:
            return [(profile, top[0]), *steps]
    failed.add((rest, high, low))
    return None
