"""Queries of panels: as they are written, and as Grafana sends them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

DATASOURCE: Final = "datasource"
"""The variable that selects the Prometheus."""
DEFAULTS: Final = {DATASOURCE: "prometheus", "__rate_interval": "2m", "__interval": "30s", "__range": "6h"}
"""What Grafana puts in place of its own variables, for a scrape interval of 30 s."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query of a panel."""

    expr: str
    name: str = ""
    """The legend of its series, or the column of a table that has its value."""
    unit: str | None = None
    """Of that column, if it is not the unit of the table."""


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All panels but the titles of rows; those of a collapsed row are inside it."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def queries(json_text: str, **variables: str) -> list[tuple[str, str]]:
    """The title of a panel and the expression of each of its queries. Variables without a value stand for themselves:
    ``$pool`` becomes ``pool``.
    """
    return [
        (panel["title"], substituted(target["expr"], **variables))
        for panel in panels(json.loads(json_text))
        for target in panel["targets"]
    ]


def substituted(text: str, **variables: str) -> str:
    """A text with the values of ``$name`` and ``${name}``, and ``${name:format}``."""
    values = DEFAULTS | variables

    def value(match: re.Match[str]) -> str:
        name = match["braced"] or match["name"]
        return values.get(name, name)

    return re.sub(r"\$\{(?P<braced>\w+)(?::\w+)?\}|\$(?P<name>[A-Za-z_]\w*)", value, text)
