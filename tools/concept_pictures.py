"""The pictures of docs/concepts, drawn from the catalog of GPU models and from the rule that makes waves."""

from collections.abc import Iterable
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from mig_fleet.model import gpus, prove
from mig_fleet.review.html.elements import element
from mig_fleet.review.html.page import style
from mig_fleet.rollout.batching import Pace, waves

MODEL = "H100-80GB"
EXAMPLE = {"3g.40gb": 1, "1g.10gb": 1}
PROFILES = ("1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb")
NODES = tuple(f"n{number}" for number in range(1, 11))
PACE = Pace(max_unavailable="30%", canary=1)
"""The pool of docs/concepts/waves.md."""

LEFT, CELL, ROW, TOP = 150, 62, 40, 56
"""Pixels: room for the captions, width of a cell, height of a row, room for the title."""

STEPS = (
    ("mig-fleet", "writes the layout file", "new"),
    ("mig-fleet", "isolates the node, waits for its pods", "new"),
    ("mig-fleet", "writes the label mig.config", "new"),
    ("MIG Manager", "state pending: pauses the operands", "kept"),
    ("MIG Manager", "destroys and creates the slices", "kept"),
    ("MIG Manager", "restores the operands, state success", "kept"),
    ("probe", "reads NVML, writes the report", "new"),
    ("mig-fleet", "compares NVML, allocatable, labels", "new"),
    ("mig-fleet", "restores scheduling", "new"),
)
"""Who does what, in order, and the kind of the box: ``new`` is ours, ``kept`` is NVIDIA's."""


def concept_pictures() -> dict[str, str]:
    """Name of a picture → its text. The same catalog gives the same texts."""
    return {
        "slice": slice_picture(),
        "placement": placement_picture(),
        "mig-manager": manager_picture(),
        "waves": waves_picture(),
    }


def slice_picture() -> str:
    """The compute and memory slices of one GPU with two slices on it."""
    model = gpus.find(MODEL)
    placements = sorted(prove(model, EXAMPLE).placements, key=lambda at: at.start)
    compute: list[Element] = []
    memory: list[Element] = []
    at_compute = 0
    for at in placements:
        profile = model.profile(at.profile)
        compute += _box(at_compute, profile.compute_slices, 0, at.profile, "new")
        memory += _box(at.start, at.size, 1, at.profile, "new")
        at_compute += profile.compute_slices
    used = {cell for at in placements for cell in range(at.start, at.start + at.size)}
    free = [*((cell, 0) for cell in range(at_compute, model.compute_slices))]
    free += [(cell, 1) for cell in range(model.memory_slices) if cell not in used]
    parts = [
        _words("name", 16, _middle(0), "compute"),
        _words("name", 16, _middle(1), "memory"),
        *(part for cell, row in free for part in _box(cell, 1, row, "·", "kept")),
        *compute,
        *memory,
    ]
    names = ", ".join(f"{at.profile} at memory slice {at.start}" for at in placements)
    return _svg(f"An {MODEL} with two slices", f"{names}; the cells with a dot are free", parts, 2, model.memory_slices)


def placement_picture() -> str:
    """Where each profile may begin."""
    model = gpus.find(MODEL)
    parts: list[Element] = []
    lines = []
    for row, name in enumerate(PROFILES):
        profile = model.profile(name)
        parts.append(_words("name", 16, _middle(row), name))
        starts = set(profile.starts)
        covered = {cell for start in starts for cell in range(start, start + profile.size)}
        for start in sorted(starts):
            parts += _box(start, profile.size, row, f"{start}", "new")
        for cell in sorted(set(range(model.memory_slices)) - covered):
            parts += _box(cell, 1, row, "·", "unknown")
        lines.append(f"{name} begins at {', '.join(map(str, sorted(starts)))}")
    return _svg(f"Where slices of an {MODEL} may begin", "; ".join(lines), parts, len(PROFILES), model.memory_slices)


def manager_picture() -> str:
    """The steps from the layout file to a node that takes pods again."""
    parts: list[Element] = []
    for row, (who, what, kind) in enumerate(STEPS):
        parts += [_words("name", 16, _middle(row), who), *_box(0, 6, row, what, kind)]
        if row + 1 < len(STEPS):
            parts.append(_words("arrow", LEFT + 6 * CELL + 20, _middle(row) + 18, "↓"))
    words = "; ".join(f"{who} {what}" for who, what, _ in STEPS)
    return _svg("What changes a node", words, parts, len(STEPS), 7)


def waves_picture() -> str:
    """The waves of a pool, one after the other."""
    found = waves(NODES, PACE)
    parts: list[Element] = []
    lines = []
    for row, (name, nodes) in enumerate(found.items()):
        parts.append(_words("name", 16, _middle(row), name))
        # Two cells wide, each box beginning where the one before it ends: time goes to the right.
        parts += _box(2 * row, 2, row, " ".join(nodes), "new")
        lines.append(f"{name} changes {', '.join(nodes)}")
        if row + 1 < len(found):
            parts.append(_words("arrow", LEFT + row * CELL * 2 + CELL * 2 - 10, _middle(row) + 20, "↘"))
    return _svg(f"The waves of a pool of {len(NODES)} nodes", "; ".join(lines), parts, len(found), 2 * len(found))


def _box(start: int, size: int, row: int, text: str, kind: str) -> list[Element]:
    left, width = LEFT + start * CELL + 2, size * CELL - 4
    return [
        element("rect", x=left, y=TOP + row * ROW + 3, width=width, height=ROW - 6, rx=4, class_=kind),
        _words("slice" if kind != "unknown" else "free", left + width // 2, _middle(row), text),
    ]


def _middle(row: int) -> int:
    return TOP + row * ROW + ROW // 2 + 5


def _words(kind: str, x: int, y: int, text: str) -> Element:
    return element("text", text, x=x, y=y, class_=kind)


def _svg(title: str, description: str, parts: Iterable[Element], rows: int, cells: int) -> str:
    width, height = LEFT + cells * CELL + 16, TOP + rows * ROW + 12
    sheet = Element("style")
    sheet.text = (
        f"{style('theme', 'picture')}svg .paper {{ fill: var(--paper); }}\nsvg .title {{ font-weight: 600; }}\n"
    )
    image = element(
        "svg",
        element("title", title),
        element("desc", description),
        sheet,
        element("rect", x=1, y=1, width=width - 2, height=height - 2, rx=8, class_="paper"),
        _words("title", 16, 30, title),
        *parts,
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        xmlns="http://www.w3.org/2000/svg",
    )
    return f"{ElementTree.tostring(image, encoding='unicode')}\n"
