"""A Prometheus that runs, and what its HTTP API answers."""

import functools
import json
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
TIMEOUT_S = 120


@dataclass(frozen=True)
class Row:
    """A series with its value at the moment of a query."""

    labels: dict[str, str]
    value: float

    def __getitem__(self, label: str) -> str:
        """The label's value; empty if it is absent."""
        return self.labels.get(label, "")


@dataclass(frozen=True)
class LivePrometheus:
    """The Prometheus at ``url``."""

    url: str

    def query(self, expression: str, at: float | None = None) -> list[Row]:
        """The rows of an instant query, by default now. Raises ``HTTPError`` for an expression that is wrong."""
        data = urllib.parse.urlencode({"query": expression, **({} if at is None else {"time": at})}).encode()
        with urllib.request.urlopen(f"{self.url}/api/v1/query", data=data, timeout=10) as response:
            result = json.load(response)["data"]["result"]
        return [Row(row["metric"], float(row["value"][1])) for row in result]

    def by(self, expression: str, *labels: str) -> dict[tuple[str, ...], float]:
        """The rows of a query by the values of these labels, which must identify them."""
        rows = self.query(expression)
        found = {tuple(row[label] for label in labels): row.value for row in rows}
        assert len(found) == len(rows), f"{labels} do not identify the rows of {expression}"
        return found

    def rules(self) -> list[dict[str, Any]]:
        """The rules that it evaluates, with their health and last error."""
        with urllib.request.urlopen(f"{self.url}/api/v1/rules", timeout=10) as response:
            groups = json.load(response)["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]


def eventually(condition: Callable[[], T], what: str) -> T:
    """The first truthy result; fails after :data:`TIMEOUT_S` seconds."""
    deadline = time.monotonic() + TIMEOUT_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"timeout: {what}"
        time.sleep(0.2)
    return found


def in_the_end(test: Callable[P, None]) -> Callable[P, None]:
    """Repeat a test that only reads until it passes; fails as it does after :data:`TIMEOUT_S` seconds.

    On a busy machine an exporter may answer too late for a scrape, and its series are gone until the next one.
    """

    @functools.wraps(test)
    def repeated(*args: P.args, **kwargs: P.kwargs) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                return test(*args, **kwargs)
            except (AssertionError, LookupError, ValueError):  # a series that is gone is missing in many ways
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.5)

    return repeated
