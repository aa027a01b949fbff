"""Runs promtool, of each Prometheus that is supported, on rules and their unit tests."""

import json
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mig_fleet.monitoring.rules import Group, rule_file, rule_text
from tests.monitoring.series_samples import Series

Labels = Mapping[str, str]
Rows = Sequence[tuple[Labels, float]]


@dataclass(frozen=True, slots=True)
class FiringAlert:
    """An alert that must fire, with all its labels and, unless None, all its annotations."""

    labels: Labels
    annotations: Labels | None = None

    def to_data(self) -> dict[str, Any]:
        more = {} if self.annotations is None else {"exp_annotations": dict(self.annotations)}
        return {"exp_labels": dict(self.labels), **more}


@dataclass(slots=True)
class Case:
    """A unit test: series, and what queries and alerts must give. Times are ``10m``, ``1h30m``."""

    name: str
    series: Iterable[Series]
    at: str = "10m"
    """The time of :attr:`rows`."""
    rows: Mapping[str, Rows] = field(default_factory=dict)
    """Query → its rows, in any order. Labels without the name of the metric; queries that round keep numbers exact."""
    firing: Mapping[tuple[str, str], Sequence[FiringAlert]] = field(default_factory=dict)
    """(time, alert) → the alerts that fire then, none for an empty sequence."""
    interval: str = "1m"

    def to_data(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "interval": self.interval,
            "input_series": list(self.series),
            "promql_expr_test": [
                {
                    "expr": expr,
                    "eval_time": self.at,
                    "exp_samples": [{"labels": _sample(expr, labels), "value": value} for labels, value in rows],
                }
                for expr, rows in self.rows.items()
            ],
            "alert_rule_test": [
                {"eval_time": time, "alertname": alert, "exp_alerts": [each.to_data() for each in alerts]}
                for (time, alert), alerts in self.firing.items()
            ],
        }


@dataclass(frozen=True, slots=True)
class Promtool:
    """A promtool, and a folder of its own for files."""

    binary: Path
    folder: Path

    def check(self, groups: Iterable[Group]) -> None:
        """Fails with promtool's output if it refuses a rule."""
        ran = self._run("check", "rules", "--lint=all", "--lint-fatal", str(self._rules(groups)))
        assert ran.returncode == 0, ran.stdout + ran.stderr

    def verify(self, groups: Iterable[Group], *cases: Case) -> None:
        """Fails with promtool's output if a case does not hold. One run for many cases is much faster."""
        if failure := self.failure(groups, *cases):
            raise AssertionError(failure)

    def failure(self, groups: Iterable[Group], *cases: Case) -> str:
        """Promtool's output if a case does not hold; empty if all do."""
        groups = list(groups)
        document = {
            "rule_files": [self._rules(groups).name],
            "evaluation_interval": "1m",
            # Without it promtool evaluates groups in no particular order, and rules read what earlier groups recorded.
            "group_eval_order": [group.name for group in groups],
            "tests": [case.to_data() for case in cases],
        }
        file = self.folder / "tests.yaml"
        file.write_text(json.dumps(document))  # JSON is YAML, and fast to write
        ran = self._run("test", "rules", str(file))
        return "" if ran.returncode == 0 else ran.stdout + ran.stderr

    def _rules(self, groups: Iterable[Group]) -> Path:
        file = self.folder / "rules.yaml"
        file.write_text(rule_text(rule_file(groups)))
        return file

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self.binary, *arguments], capture_output=True, text=True, timeout=120, check=False)


def rounded(query: str, digits: int = 6) -> str:
    """The query with rounded values: promtool compares floating-point numbers exactly."""
    return f"round({query}, 1e-{digits})"


def _sample(expr: str, labels: Labels) -> str:
    """A query for a series gives its name, too; any other drops it."""
    name = expr if re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", expr) else ""
    return f"{name}{{" + ", ".join(f'{key}="{value}"' for key, value in labels.items()) + "}"
