"""How far a build is, by its log: the sources that Go has downloaded and the packages that it has compiled.

Each process may read it, also one that waits for another's build. Before Go builds, :func:`head` writes how many
packages there are; then ``go build -v`` writes the name of each one as it compiles it, and links at the end.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LISTING: Final = (
    "{{if and .Stale (ne .StaleReason `not installed but available in build cache`)}}compile{{else}}cached{{end}}"
)
"""The format of ``go list -deps``: a line for each package, ``cached`` if Go's build cache has it."""
_HEAD: Final = re.compile(r"^(\d+) packages, (\d+) to compile:$", re.MULTILINE)
_PACKAGE: Final = re.compile(r"^[^\s:#]+$", re.MULTILINE)
_DOWNLOAD: Final = re.compile(r"^go: downloading ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Share:
    """Packages that are compiled, of all; before Go has counted them, both are 0."""

    sources: int
    """Modules whose download began."""
    done: int = 0
    total: int = 0

    @property
    def percent(self) -> int:
        return self.done * 100 // self.total if self.total else 0

    @property
    def is_linking(self) -> bool:
        return self.done == self.total > 0

    @classmethod
    def read(cls, log: Path) -> "Share | None":
        """None without a log: nothing is built yet."""
        try:
            return cls.of(log.read_text(errors="replace"))
        except FileNotFoundError:
            return None

    @classmethod
    def of(cls, text: str) -> "Share":
        """Of a log that may end anywhere."""
        sources, head = len(_DOWNLOAD.findall(text)), _HEAD.search(text)
        if head is None:
            return cls(sources)
        total, rest = int(head[1]), int(head[2])
        compiled = min(len(_PACKAGE.findall(text, head.end())), rest)
        return cls(sources, total - rest + compiled, total)


def head(listing: Iterable[str]) -> str:
    """The line before the packages, from what ``go list`` printed.

    >>> head(["compile\\n", "cached\\n", "compile\\n"])
    '3 packages, 2 to compile:\\n'
    """
    lines = [line.strip() for line in listing]
    return f"{len(lines)} packages, {lines.count('compile')} to compile:\n"


def without_progress(lines: Iterable[str]) -> Iterable[str]:
    """The lines of a log that are not progress: Go's messages.

    >>> list(without_progress(["go: downloading a.b/c v1\\n", "a.b/c\\n", "c.go:1:2: undefined: x\\n"]))
    ['c.go:1:2: undefined: x\\n']
    """
    return (line for line in lines if not any(form.match(line) for form in (_PACKAGE, _DOWNLOAD, _HEAD)))
