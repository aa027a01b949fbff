"""What the panels are made of: queries, thresholds, legends, colors, names of values."""

from collections.abc import Iterator, Mapping, Sequence
from string import ascii_uppercase
from typing import Final

from mig_fleet.monitoring.dashboards.colors import BLUE
from mig_fleet.monitoring.dashboards.queries import DATASOURCE, Query
from mig_fleet.monitoring.dashboards.sdk import (
    Builder,
    Dataquery,
    barchart,
    bargauge,
    common,
    dashboard,
    heatmap,
    histogram,
    kinds,
    models,
    prometheus,
    prometheus_models,
    stat,
    statetimeline,
    table,
    timeseries,
)

Steps = Sequence[tuple[float, str]]
"""Values from which a color holds."""
States = Sequence[tuple[str, str]]
"""The name and the color of the values 0, 1, 2, …"""
Targets = list[Builder[Dataquery]]

AnyPanel = (
    barchart.Panel
    | bargauge.Panel
    | heatmap.Panel
    | histogram.Panel
    | stat.Panel
    | statetimeline.Panel
    | table.Panel
    | timeseries.Panel
)

SOURCE: Final = kinds.DataSourceRef(type_val="prometheus", uid=f"${{{DATASOURCE}}}")


def describe(panel: AnyPanel, title: str, meaning: str, unit: str) -> None:
    panel.title(title).description(meaning).unit(unit).datasource(SOURCE)


def over_time(*queries: Query) -> Targets:
    """Queries over the time range of the dashboard."""
    return [target.range() for target in _targets(queries)]


def now(*queries: Query) -> Targets:
    """Queries for the last value, which cost Prometheus one evaluation."""
    return [target.instant() for target in _targets(queries)]


def in_rows(*queries: Query) -> Targets:
    """Queries for the last value, with a column for each label. :func:`columns` names those of the values."""
    rows = prometheus_models.PromQueryFormat.TABLE
    return [target.instant().format(rows) for target in _targets(queries)]


def _targets(queries: Sequence[Query]) -> Iterator[prometheus.Dataquery]:
    for ref, query in zip(ascii_uppercase, queries, strict=False):
        yield prometheus.Dataquery().datasource(SOURCE).ref_id(ref).expr(query.expr).legend_format(query.name)


def columns(*queries: Query) -> dict[str, str]:
    """Grafana's name of the column that has a query's value, once several are in one table, and the query's name."""
    return {f"Value #{ref}": query.name for ref, query in zip(ascii_uppercase, queries, strict=False)}


def transformed(kind: str, **options: object) -> models.DataTransformerConfig:
    return models.DataTransformerConfig(id_val=kind, options=options)


def thresholds(steps: Steps, below: str = BLUE) -> dashboard.ThresholdsConfig:
    """Colors by value; ``below`` is the one under the first step."""
    colors = [models.Threshold(value=None, color=below)]
    colors += [models.Threshold(value=value, color=color) for value, color in steps]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(colors)


def by_value() -> dashboard.FieldColor:
    """The color of a value is that of its threshold."""
    return dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS)


def by_name() -> dashboard.FieldColor:
    """A series without a fixed color has the same one in all panels."""
    return dashboard.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC_BY_NAME)


def named(states: States) -> list[models.ValueMapping]:
    return [
        models.ValueMap(
            options={
                str(value): models.ValueMappingResult(text=text, color=color, index=value)
                for value, (text, color) in enumerate(states)
            }
        )
    ]


def last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"])


def legend() -> common.VizLegendOptions:
    """A list of the names below the chart."""
    placed = common.VizLegendOptions().show_legend(True).placement(kinds.LegendPlacement.BOTTOM)
    return placed.display_mode(kinds.LegendDisplayMode.LIST).calcs([])


def tooltip() -> common.VizTooltipOptions:
    return common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI).sort(kinds.SortOrder.DESCENDING)


def link(title: str, path: str) -> dashboard.DashboardLink:
    return dashboard.DashboardLink(title).type(models.DashboardLinkType.LINK).url(path)


def setting(name: str, value: object) -> models.DynamicConfigValue:
    """A setting of the series or columns that an override selects."""
    return models.DynamicConfigValue(id_val=name, value=value)


def colored(panel: timeseries.Panel | barchart.Panel, colors: Mapping[str, str]) -> None:
    """Fixed colors, for the series whose names match a regular expression."""
    for pattern, color in colors.items():
        panel.override_by_regexp(f"/{pattern}/", [setting("color", {"mode": "fixed", "fixedColor": color})])
