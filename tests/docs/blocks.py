"""The fenced blocks of README.md and of the pages in docs, each with the comment above it."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"(?:^<!-- (?P<note>[^\n]*?) -->\n)?^ *```(?P<language>[^\n]*)\n(?P<text>.*?)^ *```$", re.M | re.S)


@dataclass(frozen=True, slots=True)
class Block:
    """One block. ``note`` is the comment on the line above it: what the block is, or the file that it is part of."""

    page: str
    language: str
    note: str
    text: str

    @property
    def first(self) -> str:
        """Its first line, which names it in a list."""
        return self.text.strip().splitlines()[0] if self.text.strip() else ""

    def __str__(self) -> str:
        return f"{self.page}: {self.first}"


def blocks() -> list[Block]:
    """Every block that a reader sees; directives of the site, such as a list of pages, are not among them."""
    return [
        Block(page.relative_to(ROOT).as_posix(), found["language"], found["note"] or "", found["text"])
        for page in PAGES
        for found in FENCE.finditer(page.read_text("utf-8"))
        if not found["language"].startswith("{")
    ]
