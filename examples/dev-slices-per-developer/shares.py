"""How many slices each developer may have."""

from collections.abc import Mapping


def shares_of(developers: Mapping[str, int]) -> dict[str, int]:
    """Developer → number of slices; raises ValueError for a number that is none."""
    wrong = [name for name, slices in developers.items() if isinstance(slices, bool) or not isinstance(slices, int)]
    wrong += [name for name, slices in developers.items() if name not in wrong and slices < 0]
    if wrong:
        raise ValueError(f"developers must have a number of slices from 0, such as 1: {', '.join(sorted(wrong))}")
    return dict(sorted(developers.items()))


def require_enough(shares: Mapping[str, int], capacity: int) -> int:
    """The number of slices that no developer has; raises ValueError if there are fewer slices than shares."""
    total = sum(shares.values())
    if total > capacity:
        raise ValueError(f"the developers' shares are {total} slices, and the nodes have {capacity}; add a node")
    return capacity - total
