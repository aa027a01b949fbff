"""What an import has to say about its sources: each sentence once, with every node or config that it is about."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What became of the subject of a note."""

    LEFT_OUT = "not carried over"
    CHANGED = "carried over, with a change or a doubt"
    TO_COMPLETE = "to complete"


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence about the nodes, or the configs, in ``about``; about the sources as a whole if it is empty."""

    outcome: Outcome
    text: str
    about: tuple[str, ...] = ()
    of_nodes: bool = False

    def __str__(self) -> str:
        noun = ("node " if len(self.about) == 1 else "nodes ") if self.of_nodes else ""
        return f"{noun}{format_names(self.about)}: {self.text}" if self.about else self.text


class Notes:
    """Collects notes. Equal sentences become one note, at the place of the first."""

    def __init__(self, notes: Iterable[Note] = ()) -> None:
        self._about: dict[tuple[Outcome, str, bool], dict[str, None]] = {}
        self.extend(notes)

    def left_out(self, text: str, *, node: str = "", config: str = "") -> None:
        self._add(Outcome.LEFT_OUT, text, node, config)

    def changed(self, text: str, *, node: str = "", config: str = "") -> None:
        self._add(Outcome.CHANGED, text, node, config)

    def to_complete(self, text: str) -> None:
        self._add(Outcome.TO_COMPLETE, text, "", "")

    def extend(self, notes: Iterable[Note]) -> None:
        for note in notes:
            key = (note.outcome, note.text, note.of_nodes)
            self._about.setdefault(key, {}).update(dict.fromkeys(note.about))

    def __iter__(self) -> Iterator[Note]:
        return (Note(outcome, text, tuple(about), nodes) for (outcome, text, nodes), about in self._about.items())

    def _add(self, outcome: Outcome, text: str, node: str, config: str) -> None:
        self.extend([Note(outcome, text, (node or config,) if node or config else (), bool(node))])


def format_names(names: Iterable[str]) -> str:
    """At most three of them: ``a, b, c and 37 more``."""
    listed = list(names)
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")
