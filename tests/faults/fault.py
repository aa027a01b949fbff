"""A fault as data: what it imitates, how it is injected, and what a user reads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mig_fleet.model.layouts import Layout
from tests.faults.fault_run import FaultRun
from tests.faults.scenario import NEW

Action = Callable[[FaultRun], object]


class Outcome(StrEnum):
    """How the update ends in which the fault happens."""

    SUCCEEDED = "succeeded"
    REFUSED = "refused"
    """It fails before a GPU is changed, and leaves no node isolated."""
    HALTED = "halted"
    """It fails, and leaves nodes of the wave isolated, which the error names."""
    FAILED = "failed"
    """It fails, and leaves no node isolated."""


def nothing(_: FaultRun) -> None:
    """No action."""


@dataclass(frozen=True)
class Fault:
    """One row of the table. In most rows a pool of three nodes in two waves gets another layout."""

    name: str
    imitates: str
    """The real failure, with its source."""
    inject: Action
    outcome: Outcome
    written: tuple[str, ...]
    """The nodes to which the product sent a write during the fault, successful or not."""
    preview: tuple[str, ...] = ()
    """The preview's lines, without those of the planned change itself."""
    error: tuple[str, ...] = ()
    """The error's lines."""
    remedies: tuple[str, ...] = ()
    """Lines of output `remedies`."""
    isolated: tuple[str, ...] = ()
    """The nodes that are isolated after the update."""
    fix: str = "nothing"
    """What a person does before the next update."""
    apply_fix: Action = nothing
    next_update: str = "has nothing to do"
    """What the next update does, if this one succeeded."""
    rollout: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the pool's rollout."""
    pool: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the pool that differ during the fault."""
    pool_before: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the pool that differed before."""
    target: Layout | None = NEW
    """The layout that the stack declares; ``None`` is a stack without the pool."""
    check_after: Action | None = None
    """Asserts what else holds after the next update."""
