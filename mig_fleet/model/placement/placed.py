"""A GPU instance at its place, and sets of memory slices as bits."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Placement:
    """A GPU instance and its memory slices, ``start`` … ``start + size - 1``."""

    profile: str
    start: int
    size: int

    def __str__(self) -> str:
        return f"{self.profile} at {self.start}:{self.size}"


def mask_of(placements: Iterable[Placement]) -> int:
    """The memory slices of these instances, as bits."""
    taken = 0
    for placement in placements:
        taken |= ((1 << placement.size) - 1) << placement.start
    return taken


def format_ranges(mask: int) -> str:
    """Memory slices, given as bits, as text: ``0–3, 6``."""
    parts = []
    position = 0
    while mask >> position:
        if mask >> position & 1:
            end = position
            while mask >> (end + 1) & 1:
                end += 1
            parts.append(str(position) if end == position else f"{position}–{end}")
            position = end
        position += 1
    return ", ".join(parts)
