"""The text of a stack file with other profiles in its layouts, as a diff: comments and formatting stay."""

import difflib
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mig_fleet.advice.layout_advice import LayoutAdvice
from mig_fleet.advice.profile_edits import NotEditable, ProfileEdit, edited, profile_edits, spans
from mig_fleet.documents import Document, DocumentError, parse
from mig_fleet.documents.document import Span

_NO_NEWLINE = "\n\\ No newline at end of file\n"


@dataclass(frozen=True, slots=True)
class StackText:
    """What the advice changes in a stack file."""

    after: str
    """The text with all edits that are safe."""
    diff: str
    """Unified, for `patch`; empty if nothing changes."""
    not_edited: tuple[str, ...]
    """Layouts that change, but not in the text: with its aliases, merge keys or spellings no edit is known to change
    nothing else."""


def edit(name: str, content: bytes, advice: Iterable[LayoutAdvice]) -> StackText:
    """Edits the layouts of a valid stack file; ``name`` is its path in the diff."""
    text, document = content.decode("utf-8-sig"), parse(name, content)
    edits, not_edited = list[ProfileEdit](), list[str]()
    for each in advice:
        if each.after is None:
            continue
        try:
            of_layout = profile_edits(document.data, each)
            _edited_text(document, text, of_layout)
            edits += of_layout
        except NotEditable:
            not_edited.append(each.layout.name)
    after = _edited_text(document, text, edits)
    return StackText(after, _diff(name, text, after), tuple(not_edited))


def _edited_text(document: Document, text: str, edits: Sequence[ProfileEdit]) -> str:
    """Raises :class:`NotEditable` unless the new text means the data with the edits, and nothing else."""
    data, after = document.data, text
    for each in edits:
        data = edited(data, each)
    for (start, end), new in sorted(_spans(document, text, edits), reverse=True):
        after = f"{after[:start]}{new}{after[end:]}"
    try:
        found = parse(document.name, after.encode())
    except DocumentError:
        raise NotEditable from None
    if found.data != data or found.ignored or not _is_shown(after, text):
        raise NotEditable
    return after


def _spans(document: Document, text: str, edits: Iterable[ProfileEdit]) -> Iterator[tuple[Span, str]]:
    for each in edits:
        yield from spans(document, text, each)


def _is_shown(after: str, text: str) -> bool:
    """Whether the diff has only characters that a terminal shows as they are."""
    return all(character.isprintable() or character in "\t\r\n" for character in _diff("", text, after))


def _diff(name: str, before: str, after: str) -> str:
    old, new = (io.StringIO(text, newline="\n").readlines() for text in (before, after))
    lines = difflib.unified_diff(old, new, name, name)
    return "".join(line if line.endswith("\n") else line + _NO_NEWLINE for line in lines)
