"""The content of a file, and the line of each part."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mig_fleet.foreign_text import printable
from mig_fleet.model.finding import Finding

LONGEST_PLACE = 1000
"""Characters of a file's path in a message."""


class DocumentError(ValueError):
    """A file that cannot be read. ``place`` is the file and, if known, the line: ``layouts.yaml:12``."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(place, why)
        self.place, self.why = place, why

    def __str__(self) -> str:
        return f"{printable(self.place, LONGEST_PLACE)}: {self.why}"


Span = tuple[int, int]
"""The first character of a text's part, and the first one after it."""


@dataclass(slots=True)
class Location:
    """The line (from 1) of a value, and the locations of its children by step: ``.name`` or ``[0]``."""

    line: int
    children: dict[str, "Location"] = field(default_factory=dict)
    key: Span | None = None
    """Where its key is in the text; None for the item of a list and if the key is an alias."""
    scalar: Span | None = None
    """Where a scalar is in the text, with quotes, tag and anchor; None for other values and for an alias."""


@dataclass(slots=True)
class Document:
    """The first document of a file; mig-parted and Pulumi read no other.

    ``ignored`` is what they ignore without a message, each a mistake at its line: the first value of a duplicate key,
    text after the first document.
    """

    name: str
    data: Any = None
    root: Location | None = None
    ignored: list[Finding] = field(default_factory=list)

    def at(self, path: str) -> str:
        """``file.yaml:12`` for a path such as ``pools.inference.nodes[0]``, or for its nearest parent in the file."""
        location, rest = self.root, path if path.startswith("[") else f".{path}"
        if location is None:
            return self.name
        while step := next((step for step in _first_steps(rest) if step in location.children), ""):
            location, rest = location.children[step], rest[len(step) :]
        return f"{self.name}:{location.line}"


def _first_steps(path: str) -> Iterator[str]:
    """Each possible first step of a path, longest first: a key may contain dots, ``1g.10gb``."""
    ends = [match.start() for match in re.finditer(r"[.\[]", path) if match.start()]
    return (path[:end] for end in (len(path), *reversed(ends)) if end)
