"""A Prometheus in memory that has recorded series of slices, and answers only the queries of the advice."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from mig_fleet.advice import queries
from mig_fleet.advice.measurement import COUNTED, Measurement, Quantity
from mig_fleet.advice.prometheus import Row
from mig_fleet.advice.window import Window
from mig_fleet.monitoring import series
from tests.advice.measurements import WINDOW


@dataclass
class Recorded:
    """Answers by measurements; ``nodes`` are those of pools with a selector."""

    measurements: Sequence[Measurement] = ()
    nodes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rules: bool = True
    window: Window = WINDOW
    warnings: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """There is no connection to close."""

    def query(self, promql: str) -> list[Row]:
        self.asked.append(promql)
        if promql == queries.RULES_LOADED:
            return [Row({}, 1.0)] if self.rules else []
        if promql.startswith(series.NODE):
            names = [name for pool, names in self.nodes.items() if promql == queries.nodes_of(pool) for name in names]
            return [Row({"node": name, "config": "c"}, 1.0) for name in names]
        found = re.search(r'node=~"([^"]*)"', promql)
        assert found, promql
        nodes = found[1].replace("[.]", ".").split("|")
        of_nodes = [each for each in self.measurements if each.slice.node in nodes]
        return list(self._of_slices(promql, nodes, of_nodes))

    def _of_slices(self, promql: str, nodes: Sequence[str], measured: Iterable[Measurement]) -> Iterator[Row]:
        quantities = {queries.of_quantity(each, nodes, self.window): each for each in Quantity}
        counted = {queries.samples_with_pod(name, nodes, self.window): name for name in COUNTED}
        for each in measured:
            if promql == queries.samples(nodes, self.window):
                yield Row(labels(each), each.reported)
            elif promql in counted:
                if n := each.with_pod.get(counted[promql]):
                    yield Row(labels(each), n)
            else:
                quantity = quantities[promql]
                if quantity in each.values:
                    yield Row(labels(each), each.values[quantity])


def labels(measurement: Measurement) -> dict[str, str]:
    key = measurement.slice
    return {"node": key.node, "gpu": str(key.gpu), "uuid": key.uuid, "slice": key.slice, "profile": key.profile}
