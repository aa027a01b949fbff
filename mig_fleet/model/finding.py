"""A finding: one sentence about one place. Lint rules, policies and the checks of a stack file all return findings."""

from dataclasses import dataclass
from enum import StrEnum

from mig_fleet.foreign_text import printable

LONGEST_PATH = 1000
"""Characters of a path in a message."""


class Level(StrEnum):
    """How serious a finding is."""

    WRONG = "wrong"
    """A mistake that must be corrected."""
    UNPROVEN = "unproven"
    """The sources do not establish whether it is a mistake."""
    UNREADABLE = "unreadable"
    """The file could not be read, so nothing in it was checked."""
    ADVICE = "advice"
    """It depends on facts that the file does not state. A file with only advice is sound."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What is wrong at a place, and what would work.

    ``path`` is a path in a document, such as ``pools.inference.nodes[0]``; ``file.yaml:12``; or the name of a pool.
    It is empty for a document as a whole. ``rule`` names the rule that was broken; it is empty if no named rule
    applies. ``also`` is the path of the other place, if two places contradict each other.
    """

    path: str
    text: str
    rule: str = ""
    level: Level = Level.WRONG
    also: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.path else self.text

    @property
    def place(self) -> str:
        """The path as it is shown: its steps are keys of a document, which may be anyone's text."""
        return printable(self.path, LONGEST_PATH)
