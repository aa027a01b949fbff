"""A trap in a mig-parted file, and the place where it lies."""

from dataclasses import dataclass
from enum import StrEnum


class Trap(StrEnum):
    """The kinds of findings."""

    FILTER = "S1-filter-matches-nothing"
    PROFILE = "S2-no-gpu-has-profile"
    ASSERT = "S3-assert-never-equal"
    UNCOVERED = "S4-gpu-uncovered"
    OPEN = "S4-depends-on-the-node"
    MIXED = "S5-other-gpus-selected"
    IMPOSSIBLE = "impossible"
    UNPROVEN = "unproven"
    ALL_DISABLED = "all-disabled-missing"
    NOT_DISABLED = "all-disabled-is-something-else"
    NAME = "name-is-no-label-value"
    EMPTY = "no-instance"
    SPLIT = "split-under-strategy-mixed"
    OVERRIDDEN = "overridden"


ADVICE = frozenset({Trap.OPEN, Trap.MIXED, Trap.EMPTY, Trap.SPLIT, Trap.OVERRIDDEN})
"""Traps that depend on what a file does not say, the nodes, the cluster, what its author wants: whether they spring is
for the reader to know.
"""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A trap, where in the file it lies (``mig-configs.name[0]``), and a sentence with the remedy."""

    path: str
    trap: Trap
    text: str
