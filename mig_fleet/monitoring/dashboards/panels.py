"""Panels of Grafana, by what they show. Each has a title, its meaning, a unit, and queries."""

from collections.abc import Mapping, Sequence
from typing import Final

from mig_fleet.monitoring.dashboards import parts
from mig_fleet.monitoring.dashboards.colors import BLUE, SCHEME
from mig_fleet.monitoring.dashboards.parts import States, Steps
from mig_fleet.monitoring.dashboards.queries import Query
from mig_fleet.monitoring.dashboards.sdk import (
    barchart,
    bargauge,
    common,
    dashboard,
    heatmap,
    heatmap_models,
    histogram,
    kinds,
    models,
    stat,
    statetimeline,
    timeseries,
)

Panel = models.Panel
_WHOLE: Final = 1
"""The largest value of a ratio, with the unit ``percentunit``."""


def number(
    title: str,
    meaning: str,
    unit: str,
    query: Query,
    steps: Steps = (),
    below: str = BLUE,
    states: States = (),
) -> Panel:
    """One number, large; or the name of a state. It is of now: the last value of a range may be hours old."""
    panel = stat.Panel().targets(parts.now(query))
    parts.describe(panel, title, meaning, unit)
    panel.reduce_options(parts.last()).color_mode(kinds.BigValueColorMode.VALUE).color_scheme(parts.by_value())
    panel.graph_mode(kinds.BigValueGraphMode.NONE).thresholds(parts.thresholds(steps, below))
    return panel.mappings(parts.named(states) if states else []).build()


def text(title: str, meaning: str, query: Query) -> Panel:
    """The legend of a series, large: the value of a label."""
    panel = stat.Panel().targets(parts.now(query))
    parts.describe(panel, title, meaning, "none")
    panel.reduce_options(parts.last()).text_mode(kinds.BigValueTextMode.NAME).graph_mode(kinds.BigValueGraphMode.NONE)
    return panel.color_mode(kinds.BigValueColorMode.NONE).build()


def cells(title: str, meaning: str, unit: str, query: Query, steps: Steps, below: str) -> Panel:
    """A cell for each series, with its name and its value, colored by the value."""
    panel = stat.Panel().targets(parts.now(query))
    parts.describe(panel, title, meaning, unit)
    panel.reduce_options(parts.last()).text_mode(kinds.BigValueTextMode.VALUE_AND_NAME)
    panel.graph_mode(kinds.BigValueGraphMode.NONE).color_mode(kinds.BigValueColorMode.BACKGROUND_SOLID)
    panel.orientation(kinds.VizOrientation.VERTICAL).text(common.VizTextDisplayOptions().title_size(14).value_size(24))
    return panel.color_scheme(parts.by_value()).thresholds(parts.thresholds(steps, below)).build()


def lines(
    title: str,
    meaning: str,
    unit: str,
    *queries: Query,
    colors: Mapping[str, str] | None = None,
    dashed: str = "",
    steps: Steps = (),
    links: Sequence[dashboard.DashboardLink] = (),
) -> Panel:
    """A line for each series. ``dashed`` is a regular expression of names; ``steps`` are drawn as lines, too."""
    panel = timeseries.Panel().targets(parts.over_time(*queries))
    parts.describe(panel, title, meaning, unit)
    panel.color_scheme(parts.by_name()).min(0).line_width(2).fill_opacity(0).show_points(kinds.VisibilityMode.NEVER)
    panel.legend(parts.legend()).tooltip(parts.tooltip()).data_links(list(links))
    if unit == "percentunit":
        panel.max(_WHOLE)
    if steps:
        style = common.GraphThresholdsStyleConfig().mode(kinds.GraphThresholdsStyleMode.DASHED)
        panel.thresholds(parts.thresholds(steps)).thresholds_style(style)
    parts.colored(panel, colors or {})
    if dashed:
        panel.override_by_regexp(f"/{dashed}/", [parts.setting("custom.lineStyle", {"fill": "dash", "dash": [8, 6]})])
    return panel.build()


def stacked(title: str, meaning: str, unit: str, *queries: Query, colors: Mapping[str, str] | None = None) -> Panel:
    """Areas on top of each other: parts of a whole over time."""
    panel = timeseries.Panel().targets(parts.over_time(*queries))
    parts.describe(panel, title, meaning, unit)
    panel.color_scheme(parts.by_name()).min(0).line_width(1).fill_opacity(70).show_points(kinds.VisibilityMode.NEVER)
    panel.stacking(common.StackingConfig().mode(kinds.StackingMode.NORMAL).group("A"))
    panel.legend(parts.legend()).tooltip(parts.tooltip())
    parts.colored(panel, colors or {})
    return panel.build()


def ranking(title: str, meaning: str, unit: str, query: Query) -> Panel:
    """A bar for each series, now."""
    panel = bargauge.Panel().targets(parts.now(query))
    parts.describe(panel, title, meaning, unit)
    panel.min(0).orientation(kinds.VizOrientation.HORIZONTAL).display_mode(kinds.BarGaugeDisplayMode.BASIC)
    panel.reduce_options(parts.last()).color_scheme(parts.by_value()).thresholds(parts.thresholds(()))
    return panel.value_mode(kinds.BarGaugeValueMode.TEXT).build()


def compared(
    title: str, meaning: str, unit: str, label: str, *queries: Query, colors: Mapping[str, str] | None = None
) -> Panel:
    """A group of bars for each value of a label, with a bar for each query, now."""
    panel = barchart.Panel().targets(parts.in_rows(*queries))
    parts.describe(panel, title, meaning, unit)
    times = [f"Time {number}" for number in range(1, len(queries) + 1)]
    panel.with_transformation(parts.transformed("joinByField", byField=label, mode="outer"))
    panel.with_transformation(
        parts.transformed(
            "organize", excludeByName=dict.fromkeys(times, True), renameByName=parts.columns(*queries), indexByName={}
        )
    )
    panel.x_field(label).min(0).legend(parts.legend()).tooltip(parts.tooltip()).fill_opacity(80)
    parts.colored(panel, colors or {})
    return panel.build()


def activity_map(title: str, meaning: str, query: Query) -> Panel:
    """A row for each series and a cell for each moment, colored by its value, 0 to 1. No cell: no data."""
    panel = heatmap.Panel().targets(parts.over_time(query))
    parts.describe(panel, title, meaning, "percentunit")
    panel.calculate(False).max_data_points(300).cell_gap(0).show_legend()
    panel.color(
        heatmap.HeatmapColorOptions()
        .mode(heatmap_models.HeatmapColorMode.SCHEME)
        .scheme(SCHEME)
        .scale(heatmap_models.HeatmapColorScale.LINEAR)
        .steps(64)
        .min(0)
        .max(_WHOLE)
    )
    panel.filter_values(heatmap.FilterValueRange())
    panel.rows_frame(heatmap.RowsHeatmapOptions().layout(kinds.HeatmapCellLayout.AUTO))
    return panel.cell_values(heatmap.CellValues().unit("percentunit")).build()


def distribution(title: str, meaning: str, unit: str, query: Query) -> Panel:
    """How many series have a value in each of ten ranges."""
    panel = histogram.Panel().targets(parts.now(query))
    parts.describe(panel, title, meaning, unit)
    return panel.bucket_count(10).combine(True).fill_opacity(80).legend(parts.legend()).build()


def timeline(title: str, meaning: str, states: States, query: Query) -> Panel:
    """A row for each series, with the name of its state over time."""
    panel = statetimeline.Panel().targets(parts.over_time(query))
    parts.describe(panel, title, meaning, "none")
    panel.mappings(parts.named(states)).color_scheme(parts.by_value()).thresholds(parts.thresholds(()))
    panel.merge_values(True).show_value(kinds.VisibilityMode.AUTO).fill_opacity(85).line_width(0)
    return panel.legend(parts.legend()).tooltip(parts.tooltip()).build()
