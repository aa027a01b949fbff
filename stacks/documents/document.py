"""What a file holds, and where in it."""

import re
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
class Document:
    """The first document of a file, the only one that the tools behind us read.

    ``lines`` gives the line (from 1) of each path, ``pools.inference.nodes[0]``; ``overlooked`` what they pass over
    silently: a key that stands there twice, text behind the first document.
    """

    name: str
    data: Any = None
    lines: dict[str, int] = field(default_factory=dict)
    overlooked: list[DocumentError] = field(default_factory=list)

    def at(self, path: str) -> str:
        """``file.yaml:12`` for a path or the nearest one above it."""
        while path and path not in self.lines:
            path = re.sub(r"(\[\d+\]|\.?[^.\[]*)$", "", path)
        return f"{self.name}:{self.lines[path]}" if path in self.lines else self.name
