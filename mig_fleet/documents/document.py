"""What a file holds, and where in it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


class DocumentError(ValueError):
    """A file that cannot be read, or says one thing and means another: ``place`` is the file and, where known, the
    line.
    """

    def __init__(self, place: str, why: str) -> None:
        super().__init__(place, why)
        self.place, self.why = place, why

    def __str__(self) -> str:
        return f"{self.place}: {self.why}"


@dataclass(slots=True)
class Spot:
    """The line (from 1) of a value, and of those below it by their step, ``.name`` or ``[0]``."""

    line: int
    below: dict[str, "Spot"] = field(default_factory=dict)


@dataclass(slots=True)
class Document:
    """The first document of a file, the only one that the tools behind us read.

    ``overlooked`` is what they pass over silently: a key that stands there twice, text behind the first document.
    """

    name: str
    data: Any = None
    root: Spot | None = None
    overlooked: list[DocumentError] = field(default_factory=list)

    def at(self, path: str) -> str:
        """``file.yaml:12`` for a path such as ``pools.inference.nodes[0]``, or the nearest one above it."""
        spot, rest = self.root, path if path.startswith("[") else f".{path}"
        if spot is None:
            return self.name
        while step := next((step for step in _steps(rest) if step in spot.below), ""):
            spot, rest = spot.below[step], rest[len(step) :]
        return f"{self.name}:{spot.line}"


def _steps(path: str) -> Iterator[str]:
    """What the first step of a path may be, longest first: a key may hold dots, ``1g.10gb``."""
    ends = [match.start() for match in re.finditer(r"[.\[]", path) if match.start()]
    return (path[:end] for end in (len(path), *reversed(ends)) if end)
