"""Tables: a row for each combination of labels, a column for each query."""

from collections.abc import Mapping

from mig_fleet.monitoring.dashboards import parts
from mig_fleet.monitoring.dashboards.queries import Query
from mig_fleet.monitoring.dashboards.sdk import kinds, models, table


def rows(
    title: str,
    meaning: str,
    unit: str,
    labels: tuple[str, ...],
    *queries: Query,
    empty: str = "No data",
    links: Mapping[str, str] | None = None,
) -> models.Panel:
    """A table. Each query has exactly these labels; ``empty`` is the text for no row, ``links`` the address for a
    click on a label.
    """
    panel = table.Panel().targets(parts.in_rows(*queries))
    parts.describe(panel, title, meaning, unit)
    values = parts.columns(*queries) if len(queries) > 1 else {"Value": queries[0].name}
    order = {name: place for place, name in enumerate((*labels, *values))}
    panel.with_transformation(parts.transformed("merge"))
    panel.with_transformation(
        parts.transformed("organize", excludeByName={"Time": True}, indexByName=order, renameByName=values)
    )
    for query in queries:
        if query.unit is not None:
            panel.override_by_name(query.name, [parts.setting("unit", query.unit)])
    for label, url in (links or {}).items():
        panel.override_by_name(label, [parts.setting("links", [{"title": f"Open this {label}", "url": url}])])
    panel.no_value(empty).cell_height(kinds.TableCellHeight.SM).show_header(True).filterable(True)
    return panel.build()
