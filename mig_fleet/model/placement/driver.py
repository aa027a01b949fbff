"""How a driver places instances when nobody tells it where.

NVIDIA does not document the rule. "The highest start that is free" explains every published output we know: ``-cgi
9,19,14,19`` succeeds and ``19,19,14,9`` fails (user guide), 3g before 4g lands at 4:4 and leaves 0:4 (lgip of an
A100-80GB), 4g, 2g and 1g land at 0, 4 and 6. NVIDIA's own mock takes the lowest start instead (k8s-test-infra#886).
Unverified on hardware, so an order that both rules complete is preferred to one that needs the first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mig_fleet.model.gpus import GpuModel, find
from mig_fleet.model.placement.grid import Kind, grid_of, search
from mig_fleet.model.placement.kept import counts_of, settled, standing
from mig_fleet.model.placement.placed import Placement, mask_of


def driver_choice(gpu: GpuModel | str, taken: Iterable[Placement], profile: str) -> Placement | None:
    """Where a driver would create one more instance; None is NVML's "Insufficient Resources".

    Limits of counts, compute slices and engines count as well as room. Raises UnsettledGpu, UnknownProfile,
    InvalidPlacement, InvalidRequest.
    """
    model = gpu if isinstance(gpu, GpuModel) else find(gpu)
    settled(model)
    grid = grid_of(model)
    wanted = grid.by_name[model.profile(profile).name]
    present = standing(model, taken)
    counts = counts_of(model, present)
    counts[wanted.index] += 1
    if not grid.within_limits(counts):
        return None
    start = _highest_free(wanted, mask_of(present))
    return None if start is None else Placement(wanted.name, start, wanted.size)


BY_HAND = "explicit starts (nvidia-smi mig -cgi <id>:<start>): a driver that chooses by itself does not get there"
"""What instances need that the largest-first order does not bring to their places; no model of the catalog has any."""

ONE_RULE = (
    "a driver that takes the highest free start, as published outputs show; with any other give each instance its "
    "start (nvidia-smi mig -cgi <id>:<start>); mig-parted tries every order by itself"
)
"""What a creation order needs that a driver which takes the lowest free start does not complete."""

Step = tuple[Kind, int]
"""An instance to create and where it goes."""


@dataclass(frozen=True, slots=True)
class Creation:
    """Instances in the order of their creation, each with its start, and what must hold for that to succeed."""

    steps: Sequence[Step]
    requires: tuple[str, ...] = ()


def creation(kinds: Sequence[Kind], taken: int = 0) -> Creation | None:
    """How to create instances beside what is taken; None when there is no room for them.

    By an order that both rules complete, else largest first, as ``kinds`` come: under the first rule that always works
    where there is room (a test walks every layout of every model around whatever may stand there already).
    """
    largest_first = _greedy(kinds, taken)
    starts = [] if largest_first else search(kinds, taken)
    if starts is None:
        return None
    if largest_first and _lowest_completes(kinds, taken):
        return Creation(largest_first)
    if (steps := _order(tuple(kinds), taken, taken, set())) is not None:
        return Creation(steps)
    if largest_first:
        return Creation(largest_first, (ONE_RULE,))
    return Creation(list(zip(kinds, starts, strict=True)), (BY_HAND,))


def _greedy(kinds: Iterable[Kind], taken: int) -> list[Step] | None:
    steps = []
    for kind in kinds:
        start = _highest_free(kind, taken)
        if start is None:
            return None
        steps.append((kind, start))
        taken |= ((1 << kind.size) - 1) << start
    return steps


def _lowest_completes(kinds: Iterable[Kind], taken: int) -> bool:
    for kind in kinds:
        start = _lowest_free(kind, taken)
        if start is None:
            return False
        taken |= ((1 << kind.size) - 1) << start
    return True


def _order(
    rest: tuple[Kind, ...], high: int, low: int, dead: set[tuple[tuple[Kind, ...], int, int]]
) -> list[Step] | None:
    """The first order that works under both rules, larger instances as early as possible, with the starts of the first
    rule. ``high`` and ``low`` are what each rule has taken.
    """
    if not rest:
        return []
    if (rest, high, low) in dead:
        return None
    before = None
    for position, kind in enumerate(rest):
        if kind is before:
            continue
        before = kind
        top = _highest_free(kind, high)
        bottom = _lowest_free(kind, low)
        if top is None or bottom is None:
            break  # Taking others first never makes room for this one.
        one = (1 << kind.size) - 1
        steps = _order(rest[:position] + rest[position + 1 :], high | one << top, low | one << bottom, dead)
        if steps is not None:
            return [(kind, top), *steps]
    dead.add((rest, high, low))
    return None


def _highest_free(kind: Kind, taken: int) -> int | None:
    for start, mask in kind.masks:
        if not taken & mask:
            return start
    return None


def _lowest_free(kind: Kind, taken: int) -> int | None:
    for start, mask in reversed(kind.masks):
        if not taken & mask:
            return start
    return None
