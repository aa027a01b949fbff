"""Slices and dollars before and after."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from mig_fleet.review.html.tables import table
from mig_fleet.review.review import Review


def amounts(review: Review) -> Iterator[Element]:
    """What changes of the capacity of the stack, of its cost, and of the price of a slice."""
    capacity = [
        (it.name, f"{it.before:,}", f"{it.after:,}", f"{it.after - it.before:+,}")
        for it in review.capacity
        if it.before != it.after
    ]
    if capacity:
        yield table(("resource", "before", "after", "change"), capacity, (1, 2, 3))
    prices = [
        (f"one slice of {it.name}", _of_slice(before, it.before), _of_slice(after, it.after))
        for it in review.capacity
        for before, after in [review.cost_slices.get(it.name, (None, None))]
        if before != after
    ]
    if review.cost_after is not None and (capacity or review.cost_before != review.cost_after):
        prices.insert(0, ("the whole stack", _dollars(review.cost_before), _dollars(review.cost_after)))
    if prices:
        yield table(("USD per hour", "before", "after"), prices, (1, 2))


def _dollars(price: float | None, digits: int = 2) -> str:
    return "unknown" if price is None else f"${price:,.{digits}f}"


def _of_slice(price: float | None, slices: int) -> str:
    """A price may be missing because there is no slice, or because it differs between GPUs."""
    if price is None:
        return "differs or unknown" if slices else "none"
    return _dollars(price, 3)
