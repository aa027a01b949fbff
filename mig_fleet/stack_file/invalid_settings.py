"""All mistakes of a stack file together, each with its path, the value that was found, and what would work."""

from collections.abc import Iterable

from mig_fleet.foreign_text import printable
from mig_fleet.model.finding import Finding


class InvalidSettings(ValueError):
    """A stack file that cannot be used; ``problems`` lists every mistake in it, sorted by path."""

    def __init__(self, source: str, problems: Iterable[Finding]) -> None:
        self.source, self.problems = source, tuple(sorted(set(problems)))
        super().__init__(source, self.problems)

    def __str__(self) -> str:
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        return f"{printable(self.source)} has {len(self.problems)} problem(s):\n{lines}"
