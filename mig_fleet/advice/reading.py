"""Reads the measurements of slices."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from mig_fleet.advice import queries
from mig_fleet.advice.errors import PrometheusError
from mig_fleet.advice.measurement import COUNTED, Measurement, Quantity, Slice
from mig_fleet.advice.prometheus import Row
from mig_fleet.advice.window import Window
from mig_fleet.model.node_names import is_node_name
from mig_fleet.monitoring import series
from mig_fleet.monitoring.documentation import PAGE

NODES_PER_QUERY: Final = 8
"""With 56 slices each and a window of 14 days a query reads seven million samples; Prometheus allows 50 million (its
flag ``--query.max-samples``)."""
LONGEST_LABEL: Final = 300


class Source(Protocol):
    """What is needed of a :class:`~mig_fleet.advice.prometheus.Prometheus`."""

    def query(self, promql: str) -> Sequence[Row]: ...


def require_rules(source: Source) -> None:
    """Raises PrometheusError if the rules do not run there."""
    if not source.query(queries.RULES_LOADED):
        why = f"the rules of mig-fleet are not loaded in this Prometheus: it has no series {series.PROFILE_COMPUTE}"
        raise PrometheusError(f"{why}; see {PAGE}")


def nodes_of(source: Source, pool: str) -> tuple[str, ...]:
    """The nodes of a pool that Kubernetes reports, sorted."""
    names = {row.labels.get("node", "") for row in source.query(queries.nodes_of(pool))}
    return tuple(sorted(filter(is_node_name, names)))


def measure(source: Source, nodes: Iterable[str], window: Window) -> list[Measurement]:
    """The measurements of all slices of these nodes, sorted. Raises what ``source`` raises."""
    names, found = sorted(set(nodes)), dict[Slice, _Parts]()
    for start in range(0, len(names), NODES_PER_QUERY):
        _read(source, names[start : start + NODES_PER_QUERY], window, found)
    return [Measurement(key, parts.values, parts.with_pod, parts.reported) for key, parts in sorted(found.items())]


@dataclass(slots=True)
class _Parts:
    values: dict[Quantity, float] = field(default_factory=dict)
    with_pod: dict[str, float] = field(default_factory=dict)
    reported: float = 0.0


def _read(source: Source, nodes: Sequence[str], window: Window, found: dict[Slice, _Parts]) -> None:
    for key, value in _rows(source, queries.samples(nodes, window)):
        found.setdefault(key, _Parts()).reported = value
    for name in COUNTED:
        for key, value in _rows(source, queries.samples_with_pod(name, nodes, window)):
            found.setdefault(key, _Parts()).with_pod[name] = value
    for quantity in Quantity:
        for key, value in _rows(source, queries.of_quantity(quantity, nodes, window)):
            found.setdefault(key, _Parts()).values[quantity] = value


def _rows(source: Source, promql: str) -> Iterator[tuple[Slice, float]]:
    """The rows that are of a slice and have a possible value: no quantity is negative."""
    for row in source.query(promql):
        key = _slice(row)
        if key is not None and row.value >= 0:
            yield key, row.value


def _slice(row: Row) -> Slice | None:
    node, gpu, uuid, name, profile = (row.labels.get(key, "") for key in ("node", "gpu", "uuid", "slice", "profile"))
    fits = all(len(text) <= LONGEST_LABEL for text in row.labels.values())
    is_index = gpu.isascii() and gpu.isdecimal() and len(gpu) <= 3
    return Slice(node, int(gpu), uuid, name, profile) if fits and is_index and node and name else None
