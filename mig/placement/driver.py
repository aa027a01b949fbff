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
    return next((start for start, mask in kind.masks if not taken & mask), None)


def lowest_free(kind: Kind, taken: int) -> int | None:
    """The lowest free start, as NVIDIA's mock chooses."""
    return next((start for start, mask in reversed(kind.masks) if not taken & mask), None)


def create_in_order(kinds: Sequence[Kind], taken: int = 0, *, lowest: bool = False) -> list[int] | None:
    """The starts that a greedy driver gives to instances created in this order; None when one of them finds no room."""
    choose = lowest_free if lowest else highest_free
    starts = []
    for kind in kinds:
        start = choose(kind, taken)
        if start is None:
            return None
        starts.append(start)
        taken |= ((1 << kind.size) - 1) << start
    return starts


def safe_order(kinds: Sequence[Kind], taken: int = 0) -> tuple[list[Kind], list[int]] | None:
    """An order that a driver choosing the highest start completes, with the starts it leads to; None when there is
    none.

    Of those, one that a driver choosing the lowest start completes as well, where such an order exists.
    """
    largest_first = list(kinds)
    high = create_in_order(largest_first, taken)
    if high is not None and create_in_order(largest_first, taken, lowest=True) is not None:
        return largest_first, high
    both = _search_order(largest_first, taken, taken)
    if both is not None:
        order, starts = both
        return order, starts
    if high is not None:
        return largest_first, high
    return _search_order(largest_first, taken, None)


def _search_order(kinds: Sequence[Kind], high: int, low: int | None) -> tuple[list[Kind], list[int]] | None:
    """Depth first over orders, largest first, remembering dead ends; ``low`` None leaves the lowest-start driver out of
    it.
    """
    dead: set[tuple[tuple[int, ...], int, int | None]] = set()
    order: list[Kind] = []
    starts: list[int] = []

    def create(rest: tuple[Kind, ...], high: int, low: int | None) -> bool:
        if not rest:
            return True
        state = (tuple(kind.index for kind in rest), high, low)
        if state in dead:
            return False
        for position, kind in enumerate(rest):
            if kind in rest[:position]:
                continue
            start = highest_free(kind, high)
            bits = (1 << kind.size) - 1
            other = None if low is None else lowest_free(kind, low)
            if start is None or (low is not None and other is None):
                continue
            order.append(kind)
            starts.append(start)
            next_low = None if low is None or other is None else low | bits << other
            if create(rest[:position] + rest[position + 1 :], high | bits << start, next_low):
                return True
            order.pop()
            starts.pop()
        dead.add(state)
        return False

    return (order, starts) if create(tuple(kinds), high, low) else None
