"""Memory slices as SVG: one row per GPU, each instance a box with its name, free slices dashed.

Boxes are told apart by their borders and names, so the picture needs no colour; it takes the text colour of the page it
stands on.
"""

from collections.abc import Iterable, Mapping
from html import escape

from mig.gpus import GpuModel, find
from mig.placement import Placement, Proof, prove

CELL, HEIGHT, GAP, MARGIN, CAPTION = 72, 36, 10, 8, 120
"""Pixels: width of a memory slice, height of a row, space between rows, border, room for a row's caption."""


def svg(gpu: GpuModel | str, rows: Iterable[tuple[str, Mapping[str, int] | Proof | None]]) -> str:
    """A picture of some GPUs of one model, each (caption, cut); None is a GPU without MIG.

    The same input is the same text. Every row has a title for screen readers. Raises what :func:`mig.prove` raises.
    """
    model = find(gpu) if isinstance(gpu, str) else gpu
    drawn = list(rows)
    width = 2 * MARGIN + CAPTION + model.memory_slices * CELL
    height = 2 * MARGIN + len(drawn) * (HEIGHT + GAP) - (GAP if drawn else 0)
    title = f"Memory slices of {model.name}"
    body = [line for number, (caption, cut) in enumerate(drawn) for line in _row(model, number, caption, cut)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            f' role="img" aria-label="{escape(title)}" font-family="monospace" font-size="13" fill="none"'
            ' stroke="currentColor">',
            f"<title>{escape(title)}</title>",
            *body,
            "</svg>",
            "",
        ]
    )


def _row(gpu: GpuModel, number: int, caption: str, cut: Mapping[str, int] | Proof | None) -> list[str]:
    top = MARGIN + number * (HEIGHT + GAP)
    lines = [_text(MARGIN, top, caption, "start")]
    if cut is None:
        return ["<g>", *lines, *_box(top, 0, gpu.memory_slices, "whole GPU, MIG off"), "</g>"]
    proof = cut if isinstance(cut, Proof) else prove(gpu, cut)
    if not proof.fits:
        middle = MARGIN + CAPTION + gpu.memory_slices * CELL // 2
        return ["<g>", *lines, *_free(top, range(gpu.memory_slices)), _text(middle, top, str(proof.verdict)), "</g>"]
    taken = {s for placement in proof.placements for s in range(placement.start, placement.start + placement.size)}
    lines += [line for p in proof.placements for line in _instance(top, p)]
    return ["<g>", *lines, *_free(top, (s for s in range(gpu.memory_slices) if s not in taken)), "</g>"]


def _instance(top: int, placement: Placement) -> list[str]:
    return _box(top, placement.start, placement.size, placement.profile)


def _box(top: int, start: int, size: int, name: str) -> list[str]:
    left, width = MARGIN + CAPTION + start * CELL, size * CELL
    rect = f'<rect x="{left + 1}" y="{top}" width="{width - 2}" height="{HEIGHT}" rx="3" stroke-width="2"/>'
    return [rect, _text(left + width // 2, top, name)]


def _free(top: int, slices: Iterable[int]) -> list[str]:
    return [
        f'<rect x="{MARGIN + CAPTION + s * CELL + 2}" y="{top + 1}" width="{CELL - 4}" height="{HEIGHT - 2}"'
        ' stroke-dasharray="3 4" stroke-opacity="0.6"/>'
        for s in slices
    ]


def _text(x: int, top: int, text: str, anchor: str = "middle") -> str:
    y = top + HEIGHT // 2 + 5
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="currentColor" stroke="none">{escape(text)}</text>'
