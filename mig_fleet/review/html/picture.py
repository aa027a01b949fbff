"""GPUs before and after a change as SVG: a row for GPUs that are alike, a box for each slice.

The border, not the colour, distinguishes what is destroyed (dashed), created (thick), kept (thin) or unknown (dotted).
``theme.css`` has the colours, ``picture.css`` the borders.
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from xml.etree.ElementTree import Element

from mig_fleet.model import gpus, prove
from mig_fleet.model.errors import MigError
from mig_fleet.model.formatting import format_ranges
from mig_fleet.review.html.elements import element
from mig_fleet.review.review import GpuChange, Slices

CELL, ROW, GAP, ARROW, HEAD, MARGIN = 46, 40, 10, 40, 24, 8
"""Pixels: least width of a memory slice, height of a row, space between rows, room for the arrow and for the words
above the rows, border."""
LETTER, SMALL_LETTER = 7.8, 6.6
"""Pixels: a letter of a monospace font of 13 and of 11 pixels."""
UNKNOWN_MODEL = 8
"""Memory slices that are drawn for a GPU model that is not in the catalog."""

LEGEND = {
    "gone": "slice is destroyed",
    "new": "slice is created",
    "kept": "slice is kept with its pod",
    "unknown": "slices are not known",
}
"""Kind of a box → its meaning."""


@dataclass(frozen=True, slots=True)
class _Box:
    """A slice, or all of a GPU without slices: the memory slices from ``start`` on, and the words in it."""

    start: int
    size: int
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Sheet:
    """The horizontal measures in pixels."""

    slices: int
    cell: int
    before: int

    @property
    def after(self) -> int:
        return self.before + self.slices * self.cell + ARROW

    @property
    def width(self) -> int:
        return self.after + self.slices * self.cell + MARGIN


def picture(model: str, changes: Sequence[GpuChange], title: str) -> Element:
    """The GPUs of one node. A model or slices that the catalog does not have are shown as words."""
    rows = [(_caption(gpu), _boxes(model, gpu.before), _boxes(model, gpu.after), gpu) for gpu in changes]
    sheet = _sheet(model, rows)
    top = MARGIN + HEAD
    height = top + len(rows) * (ROW + GAP) - GAP + MARGIN
    return element(
        "svg",
        element("title", title),
        element("desc", "; ".join(_sentence(gpu) for gpu in changes)),
        _words("head", sheet.before, MARGIN + 12, "before"),
        _words("head", sheet.after, MARGIN + 12, "after"),
        *(_row(sheet, top + number * (ROW + GAP), *row) for number, row in enumerate(rows)),
        viewBox=f"0 0 {sheet.width} {height}",
        width=sheet.width,
        height=height,
        role="img",
    )


def legend(kinds: Container[str]) -> Element:
    """What the borders of these kinds of boxes mean."""
    samples = [element("li", _sample(kind), text) for kind, text in LEGEND.items() if kind in kinds]
    return element("ul", *samples, class_="legend")


def _sample(kind: str) -> Element:
    box = element("rect", x=2, y=2, width=24, height=12, rx=3, class_=kind)
    return element("svg", box, viewBox="0 0 28 16", width=28, height=16, aria_hidden="true")


def _caption(gpu: GpuChange) -> tuple[str, str]:
    if not gpu.touched:
        state = "not touched"
    elif gpu.before == gpu.after:
        state = "created again"
    else:
        state = "changed"
    return f"GPU {format_ranges(gpu.indexes)}", state


def _sentence(gpu: GpuChange) -> str:
    name, state = _caption(gpu)
    slices = f"{gpu.before} → {gpu.after}" if gpu.before != gpu.after else f"{gpu.after}"
    return f"{name}, {state}: {slices}"


def _sheet(model: str, rows: Sequence[tuple[tuple[str, str], list[_Box], list[_Box], GpuChange]]) -> _Sheet:
    boxes = [box for _, before, after, _ in rows for box in (*before, *after)]
    cell = max([CELL, *(ceil((_width(box.words) + 10) / box.size) for box in boxes)])
    caption = max(_width(words) for words, *_ in rows)
    return _Sheet(_memory_slices(model), cell, MARGIN + ceil(caption) + 2 * MARGIN)


def _width(words: tuple[str, ...]) -> float:
    first, *rest = words
    return max([len(first) * LETTER, *(len(word) * SMALL_LETTER for word in rest)])


def _memory_slices(model: str) -> int:
    try:
        return gpus.find(model).memory_slices
    except MigError:
        return UNKNOWN_MODEL


def _boxes(model: str, slices: Slices) -> list[_Box]:
    whole = _memory_slices(model)
    if not slices.known or slices.profiles is None:
        return [_Box(0, whole, ("whole GPU", "MIG off") if slices.known else ("unknown",))]
    try:
        proof = prove(model, slices.profiles)
    except MigError:
        return [_Box(0, whole, (str(slices),))]
    if not proof.fits:
        return [_Box(0, whole, (str(slices), str(proof.verdict)))]
    return [_Box(at.start, at.size, tuple(at.profile.rsplit(".", 1))) for at in proof.placements]


def _row(
    sheet: _Sheet, top: int, caption: tuple[str, str], before: list[_Box], after: list[_Box], gpu: GpuChange
) -> Element:
    middle = sheet.after - ARROW // 2
    return element(
        "g",
        _words("name", MARGIN, top + 17, caption[0]),
        _words("state", MARGIN, top + 33, caption[1]),
        *_gpu(sheet, sheet.before, top, before, _kind(gpu, gpu.before, "gone")),
        _words("arrow", middle, top + 25, "→" if gpu.touched else "="),
        *_gpu(sheet, sheet.after, top, after, _kind(gpu, gpu.after, "new")),
        class_="touched" if gpu.touched else "untouched",
    )


def _kind(gpu: GpuChange, slices: Slices, changed: str) -> str:
    if not slices.known:
        return "unknown"
    return changed if gpu.touched else "kept"


def _gpu(sheet: _Sheet, left: int, top: int, boxes: list[_Box], kind: str) -> Iterator[Element]:
    free = set(range(sheet.slices))
    for box in boxes:
        free -= set(range(box.start, box.start + box.size))
        x, width = left + box.start * sheet.cell + 2, box.size * sheet.cell - 4
        yield element("rect", x=x, y=top + 1, width=width, height=ROW - 2, rx=4, class_=kind)
        for word, (style, y) in zip(box.words, (("slice", 18), ("memory", 32)), strict=False):
            yield _words(style, x + width // 2, top + (y if len(box.words) > 1 else 25), word)
    for start in sorted(free):
        yield _words("free", left + start * sheet.cell + sheet.cell // 2, top + 25, "·")


def _words(style: str, x: int, y: int, text: str) -> Element:
    return element("text", text, x=x, y=y, class_=style)
