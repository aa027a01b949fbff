"""What a caller gets to show while a long step runs."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from mig_fleet.toolchain.share import Share


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
    log: Path | None = None
    """The log of the build, if it is one; it may not exist yet."""

    @property
    def share(self) -> Share | None:
        """How far the build is now; None for a download, and before a build begins."""
        return Share.read(self.log) if self.log else None


Progress = Callable[[Step], AbstractContextManager[object]]
"""Called at the start of a step; the context exits at its end."""


def no_progress(_: Step) -> AbstractContextManager[object]:
    """Shows nothing."""
    return nullcontext()
