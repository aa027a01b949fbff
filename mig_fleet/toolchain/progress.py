"""What a long step says about itself while it runs; how that is shown is the caller's."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """Something that may take long: a download, a build, or waiting for another process that does one of them."""

    what: str
    """Tools and version, such as ``Pulumi engine 3.259.0``."""
    doing: str
    """``downloading``, ``building``, ``waiting for process 4711, which is getting``."""
    minutes: float | None
    """How long it takes cold on two cores; None when nobody can know."""
    next: tuple[str, ...]
    """What comes after it."""


Progress = Callable[[Step], AbstractContextManager[object]]
"""Called at the start of a step; the context ends with it."""


def silent(_: Step) -> AbstractContextManager[object]:
    """Shows nothing."""
    return nullcontext()
