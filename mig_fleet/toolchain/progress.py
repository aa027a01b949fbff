"""What a caller gets to show while a long step runs."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """A download, a build, or a wait for another process that does one of them."""

    what: str
    """Tools and version, such as ``Pulumi engine 3.259.0``."""
    doing: str
    """``downloading``, ``building``, ``waiting for process 4711, which installs``."""
    minutes: float | None
    """Duration on two cores with empty caches; None if unknown."""
    next: tuple[str, ...]
    """The tools that follow."""


Progress = Callable[[Step], AbstractContextManager[object]]
"""Called at the start of a step; the context exits at its end."""


def no_progress(_: Step) -> AbstractContextManager[object]:
    """Shows nothing."""
    return nullcontext()
