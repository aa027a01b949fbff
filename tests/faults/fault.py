"""A fault as data: what is imitated, how it is played, and what a user may expect of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mig_fleet.model.layouts import Layout
from tests.faults.ground import NEW
from tests.faults.stage import Stage

Act = Callable[[Stage], object]


class Outcome(StrEnum):
    """How the update ends in which the fault happens."""

    GOES_ON = "goes on"
    """It ends well."""
    REFUSED = "refused"
    """It fails before a GPU was touched, and leaves no node closed."""
    HALTED = "halted"
    """It fails with nodes of the wave closed to new pods, and says so."""
    FAILED = "failed"
    """It fails with every node open."""


def nothing(_: Stage) -> None:
    """Nothing has to be done."""


@dataclass(frozen=True)
class Fault:
    """One row of the table; in every one a pool of three nodes in two waves gets another layout."""

    name: str
    imitates: str
    """What happens, and who saw it happen."""
    play: Act
    outcome: Outcome
    touched: tuple[str, ...]
    """The nodes that somebody of ours tried to write to while the fault was there."""
    previews: tuple[str, ...] = ()
    """What the preview says beside the change itself, line by line."""
    reads: tuple[str, ...] = ()
    """The error, line by line."""
    recovers: tuple[str, ...] = ()
    """Lines of output `recovered`."""
    closed: tuple[str, ...] = ()
    cure: str = "nothing"
    """What a human does before the next update, after the words "Before it:"."""
    end: Act = nothing
    """The cure."""
    then: str = "nothing to do"
    """What the next update does, where this one went on."""
    rollout: Mapping[str, Any] = field(default_factory=dict)
    pool: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the pool that differ while the fault is there."""
    first: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the pool that differed before."""
    target: Layout | None = NEW
    """What the stack says; ``None`` is a stack without the pool."""
    healed: Act | None = None
    """What holds after the next update, beside the whole pool as the stack says."""
