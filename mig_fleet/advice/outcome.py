"""What a sizing can find, and how far it can be trusted."""

from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """What the use of the slices of one profile means for their size."""

    SMALLER = "smaller"
    """A cheaper profile is large enough, and a GPU holds more of its slices."""
    KEEP = "keep"
    """No cheaper profile is large enough, or none saves more than a tenth of the GPU."""
    SATURATED = "saturated"
    """A slice is always busy: how much it needs is not known, but it may be more."""
    PREALLOCATED = "preallocated"
    """A server reserves its memory at the start, so what it needs of it is not known."""
    HETEROGENEOUS = "heterogeneous"
    """The GPU has slices of different sizes, and the exporter reports too little activity for the larger ones."""
    NOT_ENOUGH_HISTORY = "not-enough-history"
    """Too little of the window was measured while pods had the slices."""
    UNPROVEN = "unproven"
    """No source gives the memory or the placements of a profile that would do."""


ANSWERS: Final = frozenset({Outcome.SMALLER, Outcome.KEEP, Outcome.SATURATED})
"""The outcomes that answer the question of the size."""


class Confidence(StrEnum):
    """How far a sizing can be trusted."""

    HIGH = "high"
    """At least 90 % of the slices' time was measured while pods had them, with SM activity."""
    MEDIUM = "medium"
    """At least 70 %, or without SM activity."""
    LOW = "low"
    """Less, or the activity is known to be reported wrongly."""
