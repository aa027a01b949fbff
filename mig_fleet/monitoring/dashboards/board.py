"""A dashboard as rows of panels, and its JSON."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from mig_fleet.monitoring.dashboards.queries import DATASOURCE
from mig_fleet.monitoring.dashboards.sdk import JSONEncoder, dashboard, models

WIDTH: Final = 24
"""Columns of Grafana's grid."""
_TITLE_HEIGHT: Final = 1


@dataclass(frozen=True, slots=True)
class Line:
    """Panels beside each other."""

    height: int
    """In units of Grafana's grid, 38 pixels each."""
    panels: tuple[models.Panel, ...]
    widths: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """Lines under a title that a reader can fold."""

    title: str
    lines: tuple[Line, ...]
    repeat: str | None = None
    """The variable for each value of which Grafana shows the row again."""


def line(height: int, *panels: models.Panel, widths: Sequence[int] = ()) -> Line:
    """Panels of the same width, or of these widths, which together fill the grid."""
    return Line(height, panels, tuple(widths) or (WIDTH // len(panels),) * len(panels))


def row(title: str, *lines: Line, repeat: str | None = None) -> Row:
    return Row(title, lines, repeat)


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard."""

    uid: str
    title: str
    meaning: str
    rows: tuple[Row, ...]
    variables: tuple[dashboard.QueryVariable, ...] = ()
    links: tuple[dashboard.DashboardLink, ...] = ()

    def to_json(self) -> str:
        """The same text for the same dashboard, with sorted keys."""
        source = dashboard.DatasourceVariable(DATASOURCE).label("Prometheus").type("prometheus")
        built = (
            dashboard.Dashboard(self.title)
            .uid(self.uid)
            .description(self.meaning)
            .tags(["gpu", "mig", "mig-fleet"])
            .time("now-6h", "now")
            .refresh("1m")
            .timezone("browser")
            .tooltip(models.DashboardCursorSync.CROSSHAIR)
            .annotations([])
            .variables([source, *self.variables])
            .links(list(self.links))
            .build()
        )
        built.panels = list(_placed(self.rows))
        return encoded(built)


def encoded(built: object) -> str:
    """The JSON of an object of Grafana's model, without spaces, the keys sorted."""
    return json.dumps(built, cls=_Encoder, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _placed(rows: Sequence[Row]) -> Iterator[models.Panel | models.RowPanel]:
    """The panels with their numbers and places: each row of panels starts where the one above ends."""
    numbers, top = count(1), 0
    for each in rows:
        place = models.GridPos(x=0, y=top, w=WIDTH, h=_TITLE_HEIGHT)
        yield models.RowPanel(title=each.title, grid_pos=place, id_val=next(numbers), repeat=each.repeat)
        top += _TITLE_HEIGHT
        for panels in each.lines:
            left = 0
            for panel, width in zip(panels.panels, panels.widths, strict=True):
                panel.id_val = next(numbers)
                panel.grid_pos = models.GridPos(x=left, y=top, w=width, h=panels.height)
                left += width
                yield panel
            top += panels.height


class _Encoder(JSONEncoder):
    """Grafana's encoder, with the links above the panels: it puts them into a menu, without a way to choose."""

    def default(self, obj: Any) -> Any:
        data = super().default(obj)
        if isinstance(obj, models.DashboardLink):
            del data["placement"]
        return data
