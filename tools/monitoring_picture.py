"""Draws the main panels of the pool dashboard from recorded series, for a light and for a dark page.

Each panel can be read without color: the heat map gets brighter with its values, areas have hatches, lines have dashes,
and everything has its name beside it.
"""

import io
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline

from mig_fleet.monitoring.dashboards.colors import PALETTE, PARTS
from mig_fleet.monitoring.dashboards.expressions import NODE_STATES
from tools.monitoring_series import FILE, PANELS

Row = dict[str, Any]
HEAT, DEMAND, COST, HISTORY = PANELS
SHADES: Final = "cividis"
"""The heat map's colors, a name of matplotlib."""
LEVELS: Final = 12
"""How many of them the heat map has."""
EVERY: Final = 2
"""The heat map has each second value: its cells are as wide as a reader can see."""
SETTINGS: Final[Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mig-fleet",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "hatch.linewidth": 0.6,
}
FONTS: Final = "ui-sans-serif, system-ui, Helvetica, Arial, sans-serif"
HATCHES: Final = {
    "used": "", "idle": "////", "unallocated": "----", "stranded": "xxxx", "unobserved": "++++",
    "success": "", "isolated": "----", "pending": "xxxx", "rebooting": "////", "failed": "++++", "other": "oo",
}  # fmt: skip
"""Part of a price or state of a node → hatch."""
_SIGNS: Final = {"": "plain", "////": "stripes", "----": "lines", "xxxx": "crosses", "++++": "grid", "oo": "rings"}


@dataclass(frozen=True, slots=True)
class Theme:
    """The colors of a page."""

    paper: str
    ink: str
    faint: str


THEMES: Final = {"light": Theme("#ffffff", "#1f2328", "#d1d9e0"), "dark": Theme("#0d1117", "#e6edf3", "#3d444d")}
WORDS: Final = (
    "Four panels of the pool dashboard over six hours. Activity by slice: a row for each slice of two nodes, brighter "
    "where it is busier; after two hours the second node gets 3g.40gb and 4x 1g.10gb in place of 7x 1g.10gb on each "
    "GPU. Requested and offered slices by profile. Cost in USD per hour: used, idle, unallocated. State of each node."
)


@cache
def monitoring_pictures() -> Mapping[str, str]:
    """Theme → SVG. The same series give the same texts, so they are drawn once in a process."""
    recorded = json.loads(FILE.read_text("utf-8"))
    with mpl.rc_context(SETTINGS):
        return {name: _picture(recorded, theme) for name, theme in THEMES.items()}


def _picture(recorded: Mapping[str, Any], theme: Theme) -> str:
    figure = Figure(figsize=(11, 6.6), facecolor=theme.paper, layout="constrained")
    grid = figure.add_gridspec(2, 3, height_ratios=(1.45, 1))
    panels = recorded["panels"]
    hours = [at * recorded["step"] / 3600 for at in range(recorded["count"])]
    drawn = (
        (HEAT, figure.add_subplot(grid[0, :]), _heat),
        (DEMAND, figure.add_subplot(grid[1, 0]), _demand),
        (COST, figure.add_subplot(grid[1, 1]), _cost),
        (HISTORY, figure.add_subplot(grid[1, 2]), _history),
    )
    for title, axes, draw in drawn:
        _frame(axes, title, hours, theme)
        draw(axes, [answer["series"] for answer in panels[title]], hours, theme)
    file = io.StringIO()
    figure.savefig(file, format="svg", facecolor=theme.paper, metadata={"Date": None, "Creator": None})
    return _cleaned(file.getvalue())


def _frame(axes: Axes, title: str, hours: Sequence[float], theme: Theme) -> None:
    axes.set_title(title, loc="left", color=theme.ink, fontsize=10, fontweight="bold")
    axes.set_facecolor(theme.paper)
    axes.tick_params(colors=theme.ink, length=0)
    axes.set_xlim(hours[0], hours[-1])
    axes.set_xticks(range(int(hours[-1]) + 1), [f"{hour} h" for hour in range(int(hours[-1]) + 1)])
    for spine in axes.spines.values():
        spine.set_color(theme.faint)


def _heat(axes: Axes, answers: Sequence[Sequence[Row]], hours: Sequence[float], theme: Theme) -> None:
    rows = sorted(answers[0], key=_place)
    width = EVERY * hours[1]
    boxes: dict[int, list[Outline]] = defaultdict(list)
    for line, row in enumerate(rows):
        shades = [None if value is None else min(int(value * LEVELS), LEVELS - 1) for value in row["values"][::EVERY]]
        for level, start, end in _runs(shades):
            boxes[level].append(_box(start * width, line + 0.07, (end - start) * width, 0.86))
    scale = mpl.colormaps[SHADES]
    for level, outlines in sorted(boxes.items()):
        color = scale(level / (LEVELS - 1))
        axes.add_patch(
            PathPatch(Outline.make_compound_path(*outlines), facecolor=color, linewidth=0, antialiased=False)
        )
    axes.set_ylim(len(rows), 0)
    ticks, names, line = [], [], 0
    for (node, gpu), group in groupby(rows, key=lambda row: (row["labels"]["node"], row["labels"]["gpu"])):
        for profile, same in groupby(group, key=lambda row: row["labels"]["profile"]):
            count = len(list(same))
            ticks.append(line + count / 2)
            names.append(f"{node} GPU {gpu}  {profile}")
            line += count
            axes.axhline(line, color=theme.faint, linewidth=0.6)
    axes.set_yticks(ticks, names)
    _scale(axes, theme)


def _box(x: float, y: float, width: float, height: float) -> Outline:
    right, bottom = x + width, y + height
    return Outline([(x, y), (right, y), (right, bottom), (x, bottom), (x, y)], closed=True)


def _scale(axes: Axes, theme: Theme) -> None:
    """What the shades mean, above the panel on the right."""
    scale, steps, left, right = mpl.colormaps[SHADES], 8, 0.86, 0.965
    size = (right - left) / steps
    for step in range(steps):
        color = scale(step / (steps - 1))
        axes.add_patch(
            mpl.patches.Rectangle(
                (left + step * size, 1.025), size, 0.035, transform=axes.transAxes, color=color, clip_on=False,
                antialiased=False, linewidth=0,
            )
        )  # fmt: skip
    for x, text, side in ((left - 0.005, "0 %", "right"), (right + 0.005, "100 %", "left")):
        axes.text(x, 1.02, text, transform=axes.transAxes, color=theme.ink, ha=side, va="bottom", fontsize=8)


def _place(row: Row) -> tuple[str, str, int, int]:
    labels = row["labels"]
    return labels["node"], labels["gpu"], int(labels["profile"].partition("g")[0]), int(labels["slice"])


def _runs(shades: Sequence[int | None]) -> Iterator[tuple[int, int, int]]:
    """Level, first and last + 1 of neighbors with one level; what has no value is left out."""
    start = 0
    for level, group in groupby(shades):
        end = start + len(list(group))
        if level is not None:
            yield level, start, end
        start = end


def _demand(axes: Axes, answers: Sequence[Sequence[Row]], hours: Sequence[float], theme: Theme) -> None:
    requested, offered = ({row["labels"]["profile"]: _numbers(row) for row in rows} for rows in answers)
    for profile, color in zip(offered, PALETTE, strict=False):
        axes.step(hours, offered[profile], where="post", color=color, linestyle=(0, (4, 2)), linewidth=1.3)
        if profile in requested:
            axes.step(hours, requested[profile], where="post", color=color, linewidth=1.8)
        for values, word, move in ((offered, "offered", 7), (requested, "requested", -7)):
            if profile in values:
                last = values[profile][-1]
                axes.annotate(
                    f"{profile} {word}", (hours[-1], last), xytext=(-3, move), textcoords="offset points",
                    ha="right", va="center", color=theme.ink, fontsize=7.5,
                    bbox={"facecolor": theme.paper, "edgecolor": "none", "pad": 0.3},
                )  # fmt: skip
    axes.set_ylim(0, None)
    axes.set_ylabel("slices", color=theme.ink)


def _cost(axes: Axes, answers: Sequence[Sequence[Row]], hours: Sequence[float], theme: Theme) -> None:
    parts = {row["labels"]["part"]: [value or 0 for value in row["values"]] for row in answers[0]}
    base = [0.0] * len(hours)
    for part in (part for part in PARTS if any(parts.get(part, ()))):
        top = [low + value for low, value in zip(base, parts[part], strict=True)]
        axes.fill_between(
            hours,
            base,
            top,
            step="post",
            facecolor=PARTS[part],
            edgecolor=theme.paper,
            hatch=HATCHES[part],
            linewidth=0,
        )
        middle = len(hours) * 5 // 6
        if parts[part][middle]:
            axes.text(
                hours[middle], (base[middle] + top[middle]) / 2, part, ha="center", va="center", fontsize=8,
                color=theme.ink, bbox={"facecolor": theme.paper, "edgecolor": "none", "pad": 1.5},
            )  # fmt: skip
        base = top
    short = [part for part in PARTS if part in parts and any(parts[part]) and not parts[part][len(hours) * 5 // 6]]
    axes.set_xlabel(", ".join(f"{part}: {_SIGNS[HATCHES[part]]}" for part in short), color=theme.ink, fontsize=8)
    axes.set_ylim(0, max(base))
    axes.set_ylabel("USD per hour", color=theme.ink)


def _history(axes: Axes, answers: Sequence[Sequence[Row]], hours: Sequence[float], theme: Theme) -> None:
    rows = sorted(answers[0], key=lambda row: str(row["labels"]["node"]))
    width, short = hours[1], set()
    for line, row in enumerate(rows):
        states = [None if value is None else int(value) for value in row["values"]]
        for index, start, end in _runs(states):
            name, color = NODE_STATES[index]
            box = (hours[start], line + 0.2), (end - start) * width, 0.6
            axes.add_patch(
                mpl.patches.Rectangle(*box, facecolor=color, hatch=HATCHES[name], edgecolor=theme.paper, linewidth=0)
            )
            if (end - start) * width > 1:
                axes.text(
                    hours[start] + (end - start) * width / 2, line + 0.5, name, ha="center", va="center", fontsize=8,
                    color=theme.ink, bbox={"facecolor": theme.paper, "edgecolor": "none", "pad": 1.5},
                )  # fmt: skip
            else:
                short.add(name)
    text = ", ".join(f"{name}: {_SIGNS[HATCHES[name]]}" for name, _ in NODE_STATES if name in short)
    axes.set_xlabel(text, color=theme.ink, fontsize=8)
    axes.set_ylim(len(rows), 0)
    axes.set_yticks([line + 0.5 for line in range(len(rows))], [row["labels"]["node"] for row in rows])


def _numbers(row: Row) -> list[float]:
    return [float("nan") if value is None else value for value in row["values"]]


def _cleaned(svg: str) -> str:
    """Without a prolog and empty metadata, with words, fonts that every machine has, and a tenth of a pixel."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r"\d+\.\d{2,}", lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), body)
    body = body.replace("'DejaVu Sans'", FONTS)
    head, end, rest = body.partition(">")
    return f'{head} role="img"{end}\n <title>Panels of the pool dashboard</title>\n <desc>{WORDS}</desc>{rest}'
