"""How a driver places instances when nobody tells it where.

NVIDIA does not document the rule. "The highest start that is free" explains every published output we know: ``-cgi
9,19,14,19`` succeeds and ``19,19,14,9`` fails (user guide), 3g before 4g lands at 4:4 and leaves 0:4 (lgip of an
A100-80GB), 4g, 2g and 1g land at 0, 4 and 6. NVIDIA's own mock takes the lowest start instead (k8s-test-infra#886).
Unverified on hardware.
"""

from collections.abc import Iterable, Sequence

from mig.gpus import GpuModel, find
from mig.placement.grid import Kind, grid_of
from mig.placement.placed import Placement, mask_of


def driver_choice(gpu: GpuModel | str, taken: Iterable[Placement], profile: str) -> Placement | None:
    """Where a driver would create one more instance; None is NVML's "Insufficient Resources". Raises UnknownProfile.

    Limits of counts, compute slices and engines count as well as room.
    """
    model = find(gpu) if isinstance(gpu, str) else gpu
    grid = grid_of(model)
    wanted = grid.by_name[model.profile(profile).name]
    present = list(taken)
    counts = [0] * len(grid.kinds)
    for placement in present:
        counts[grid.by_name[model.profile(placement.profile).name].index] += 1
    counts[wanted.index] += 1
    if not grid.within_limits(counts):
        return None
    start = highest_free(wanted, mask_of(present))
    return None if start is None else Placement(wanted.name, start, wanted.size)


def highest_free(kind: Kind, taken: int) -> int | None:
    """The highest free start."""
    for start, mask in kind.masks:
        if not taken & mask:
            return start
    return None


def safe_order(kinds: Sequence[Kind], taken: int = 0) -> tuple[list[Kind], list[int]] | None:
    """An order that such a driver completes, and the starts it leads to; None when no order does.

    ``kinds`` come largest first. On an empty GPU that order always works (a test walks every layout of every model);
    around instances that stay where they are another one may be needed.
    """
    dead: set[tuple[tuple[Kind, ...], int]] = set()
    order: list[Kind] = []
    starts: list[int] = []

    def create(rest: tuple[Kind, ...], taken: int) -> bool:
        if not rest:
            return True
        if (rest, taken) in dead:
            return False
        for position, kind in enumerate(rest):
            if position and kind is rest[position - 1]:
                continue
            start = highest_free(kind, taken)
            if start is None:
                break  # Taking others first never makes room for this one.
            order.append(kind)
            starts.append(start)
            if create(rest[:position] + rest[position + 1 :], taken | ((1 << kind.size) - 1) << start):
                return True
            order.pop()
            starts.pop()
        dead.add((rest, taken))
        return False

    return (order, starts) if create(tuple(kinds), taken) else None
