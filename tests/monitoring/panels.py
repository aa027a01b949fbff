"""Which panels of dashboards have data on a Prometheus."""

import json
import math
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import urllib3

from mig_fleet.monitoring.dashboards.queries import panels, substituted

STEP_S: Final = 300
"""The longest step of a subquery, and how long a sample counts as the present. A subquery has steps at multiples of
it. The next one sees the samples of this moment, even if Prometheus has only just started; just after a multiple, that
one sees the samples before it.
"""


class Prometheus:
    """Prometheus' HTTP API. It remembers answers: many choices send the same query."""

    def __init__(self, url: str) -> None:
        self._url, self._pool = url.rstrip("/"), urllib3.PoolManager()
        after = math.ceil(time.time() / STEP_S) * STEP_S
        self._times = (after, after - STEP_S)
        self._rows: dict[str, list[dict[str, str]]] = {}

    def rows(self, expr: str) -> list[dict[str, str]]:
        """The labels of each row with a number that a query has."""
        if expr not in self._rows:
            answers = (self._get("/api/v1/query", query=expr, time=str(at))["result"] for at in self._times)
            rows = ([row["metric"] for row in answer if row["value"][1] != "NaN"] for answer in answers)
            self._rows[expr] = next(filter(None, rows), [])
        return self._rows[expr]

    def label_values(self, query: str) -> list[str]:
        """The answer to Grafana's ``label_values(selector, label)``."""
        match = re.fullmatch(r"label_values\((?P<selector>.+), (?P<label>\w+)\)", query)
        assert match is not None, query
        return list(self._get(f"/api/v1/label/{match['label']}/values", **{"match[]": match["selector"]}))

    def _get(self, path: str, **fields: str) -> Any:
        answer = self._pool.request("GET", self._url + path, fields=fields, timeout=30, retries=2)
        assert answer.status == 200, f"{fields}: {answer.data.decode()}"
        return answer.json()["data"]


def panels_without_data(prometheus_url: str, dashboards: Mapping[str, str]) -> list[str]:
    """``<file>: <title>`` of each panel of which a query has no row, for no choice of the dashboard's variables, and
    ``<file>: $<name>`` of each variable without a value. ``dashboards`` is file name → JSON.
    """
    asked = Prometheus(prometheus_url)
    return [f"{name}: {what}" for name, text in dashboards.items() for what in _without_data(asked, json.loads(text))]


def unexpected(found: list[str], reasons: Mapping[str, str]) -> list[str]:
    """Differences from what is known to have no data. ``reasons`` is ``<file>: <title>`` → why; a panel in it that has
    data is a difference, too, so that the list stays minimal.
    """
    missing = [f"{each} has no data" for each in found if each not in reasons]
    return missing + [f"{each} has data, although: {why}" for each, why in reasons.items() if each not in found]


def _without_data(asked: Prometheus, dashboard: dict[str, Any]) -> Iterator[str]:
    variables = [each for each in dashboard["templating"]["list"] if each["type"] == "query"]
    found = list(choices(asked, variables))
    chosen = set[str]().union(*found)
    for variable in variables:
        if variable["name"] not in chosen:
            yield f"${variable['name']}"
    for panel in panels(dashboard):
        exprs = [target["expr"] for target in panel["targets"]]
        if not all(any(asked.rows(substituted(expr, **choice)) for choice in found) for expr in exprs):
            yield panel["title"]


def choices(asked: Prometheus, variables: list[dict[str, Any]]) -> list[dict[str, str]]:
    """All combinations of values: those of a variable depend on the ones before it, as in Grafana."""
    found: list[dict[str, str]] = [{}]
    for variable in variables:
        name, query = variable["name"], variable["query"]
        found = [
            chosen | more
            for chosen in found
            for more in [{name: value} for value in asked.label_values(substituted(query, **chosen))] or [{}]
        ]
    return found
