"""Memory slices as SVG: one row per GPU, each instance a box with its name, free slices dashed.

Borders and names distinguish the boxes, so the picture needs no colour; it takes the text colour of its page.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from math import ceil

from mig_fleet.model.errors import InvalidRequest
from mig_fleet.model.formatting import format_profiles
from mig_fleet.model.gpus import GpuModel, find
from mig_fleet.model.placement import Proof, prove

FONT = 13
LETTER = 0.62 * FONT
"""Pixels: the size of a letter, and its width in the widest of the common monospace fonts (0.6 em), rounded up."""
CELL, HEIGHT, GAP, MARGIN, CAPTION = 72, 36, 10, 8, 120
"""Pixels: least width of a memory slice, height of a row, space between rows, border, least room for captions."""
OFF = "whole GPU, MIG off"


@dataclass(frozen=True, slots=True)
class _Row:
    """A GPU of the picture: ``boxes`` are (start, size, name); ``text`` is shown if there are none."""

    caption: str
    title: str
    boxes: tuple[tuple[int, int, str], ...]
    text: str = ""


@dataclass(frozen=True, slots=True)
class _Sheet:
    """The horizontal measures in pixels: wide enough that every name is within its box."""

    slices: int
    cell: int
    left: int

    @property
    def width(self) -> int:
        return self.left + self.slices * self.cell + MARGIN


def svg(gpu: GpuModel | str, rows: Iterable[tuple[str, Mapping[str, int] | Proof | None]]) -> str:
    """A picture of some GPUs of one model, each (caption, profiles); None is a GPU without MIG.

    The same input gives the same text. Every row has a title for screen readers. Raises what `prove` raises, and
    InvalidRequest for malformed rows.
    """
    model = find(gpu)
    drawn = [_row(model, caption, profiles) for caption, profiles in _pairs(rows)]
    names = [(size, name) for row in drawn for _, size, name in row.boxes]
    names += [(model.memory_slices, row.text) for row in drawn]
    cell = max([CELL, *(ceil((_width(name) + 2 * MARGIN) / size) for size, name in names)])
    caption = max([CAPTION, *(_width(row.caption) + MARGIN for row in drawn)])
    sheet = _Sheet(model.memory_slices, cell, MARGIN + caption)
    height = 2 * MARGIN + len(drawn) * (HEIGHT + GAP) - (GAP if drawn else 0)
    title = f"Memory slices of {model.name}"
    body = [line for number, row in enumerate(drawn) for line in _draw(sheet, row, MARGIN + number * (HEIGHT + GAP))]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {sheet.width} {height}" width="{sheet.width}"'
            f' height="{height}" role="img" aria-label="{escape(title)}" font-family="monospace" font-size="{FONT}"'
            ' fill="none" stroke="currentColor">',
            f"<title>{escape(title)}</title>",
            *body,
            "</svg>",
            "",
        ]
    )


def _pairs(
    rows: Iterable[tuple[str, Mapping[str, int] | Proof | None]],
) -> Iterator[tuple[str, Mapping[str, int] | Proof | None]]:
    """The rows, after checking that each is (caption, profiles)."""
    if isinstance(rows, str) or not isinstance(rows, Iterable):
        raise InvalidRequest("rows", rows, "a list of captions and profiles, [('GPU 0', {'1g.10gb': 7})]")
    for row in rows:
        if not isinstance(row, (tuple, list)) or len(row) != 2 or not isinstance(row[0], str):
            raise InvalidRequest("a row", row, "a caption and profiles, ('GPU 0', {'1g.10gb': 7})")
        caption, profiles = row
        yield caption, profiles


def _row(gpu: GpuModel, caption: str, profiles: Mapping[str, int] | Proof | None) -> _Row:
    if profiles is None:
        return _Row(caption, f"{caption}: {OFF}", ((0, gpu.memory_slices, OFF),))
    proof = profiles if isinstance(profiles, Proof) else prove(gpu, profiles)
    if not proof.fits:
        return _Row(
            caption, f"{caption}: {format_profiles(dict(proof.request))}, {proof.verdict}", (), str(proof.verdict)
        )
    names = format_profiles(Counter(placement.profile for placement in proof.placements))
    free = gpu.memory_slices - sum(placement.size for placement in proof.placements)
    title = f"{caption}: {names}; {free} of {gpu.memory_slices} memory slices free"
    return _Row(caption, title, tuple((p.start, p.size, p.profile) for p in proof.placements))


def _draw(sheet: _Sheet, row: _Row, top: int) -> list[str]:
    lines = ["<g>", f"<title>{escape(row.title)}</title>", _text(MARGIN, top, row.caption, "start")]
    free = set(range(sheet.slices))
    for start, size, name in row.boxes:
        free -= set(range(start, start + size))
        left, width = sheet.left + start * sheet.cell, size * sheet.cell
        lines.append(f'<rect x="{left + 1}" y="{top}" width="{width - 2}" height="{HEIGHT}" rx="3" stroke-width="2"/>')
        lines.append(_text(left + width // 2, top, name))
    lines += [_free(sheet, top, start) for start in sorted(free)]
    if row.text:
        lines.append(_text(sheet.left + sheet.slices * sheet.cell // 2, top, row.text))
    return [*lines, "</g>"]


def _free(sheet: _Sheet, top: int, start: int) -> str:
    return (
        f'<rect x="{sheet.left + start * sheet.cell + 2}" y="{top + 1}" width="{sheet.cell - 4}" height="{HEIGHT - 2}"'
        ' stroke-dasharray="3 4" stroke-opacity="0.6"/>'
    )


def _width(text: str) -> int:
    return ceil(len(text) * LETTER)


def _text(x: int, top: int, text: str, anchor: str = "middle") -> str:
    y = top + HEIGHT // 2 + 5
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="currentColor" stroke="none">{escape(text)}</text>'
