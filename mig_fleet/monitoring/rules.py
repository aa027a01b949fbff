"""Rules of Prometheus as values, and the file that has them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mig_fleet.documents import dump_blocks


@dataclass(frozen=True, slots=True)
class Record:
    """A recording rule."""

    record: str
    """One of the names in :mod:`mig_fleet.monitoring.series`."""
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def to_data(self) -> dict[str, Any]:
        return {"record": self.record, "expr": self.expr, **({"labels": dict(self.labels)} if self.labels else {})}


@dataclass(frozen=True, slots=True)
class Alert:
    """An alerting rule."""

    alert: str
    expr: str
    wait: int
    """Seconds for which the condition must hold."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    def to_data(self) -> dict[str, Any]:
        return {
            "alert": self.alert,
            "expr": self.expr,
            "for": f"{self.wait}s",
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
        }


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that Prometheus evaluates in this order, at the same time."""

    name: str
    rules: tuple[Record | Alert, ...]


def merged(records: Iterable[Record]) -> tuple[Record, ...]:
    """One record for all with the same name and labels, which promtool calls duplicates. Their rows must differ."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], list[Record]] = {}
    for record in records:
        found.setdefault((record.record, tuple(record.labels.items())), []).append(record)
    return tuple(
        Record(name, " or ".join(record.expr for record in same), dict(labels))
        for (name, labels), same in found.items()
    )


def rule_file(groups: Iterable[Group]) -> dict[str, Any]:
    """The file's content, which is also the spec of a PrometheusRule; groups without rules are left out."""
    return {
        "groups": [
            {"name": group.name, "rules": [rule.to_data() for rule in group.rules]} for group in groups if group.rules
        ]
    }


def rule_text(file: Mapping[str, Any]) -> str:
    """The content of :func:`rule_file` as YAML, one expression per line."""
    return dump_blocks(dict(file))
