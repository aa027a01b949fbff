"""The series of a cluster as a file for `promtool tsdb create-blocks-from openmetrics`.

After it, `promtool tsdb create-blocks-from rules` adds the recorded series.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

from mig_fleet.simulator.history.snapshot import Snapshot
from mig_fleet.simulator.telemetry import counters
from mig_fleet.simulator.telemetry.exposition import number, series
from mig_fleet.simulator.telemetry.kube_state_metrics import Allowlists


@dataclass(frozen=True, slots=True)
class Period:
    """A time in which only the load of the pods changes; seconds since 1970, without the end."""

    snapshot: Snapshot
    start: int
    end: int


def write(file: TextIO, periods: Sequence[Period], step_s: int, listed: str, allowlists: Allowlists) -> None:
    """Write one scrape each ``step_s`` seconds as OpenMetrics. ``listed`` is the exporter's list of metrics.

    All samples are in memory until then: a node with 56 slices and twelve fields has 2 million a day at 30 s.
    """
    rows = counters.parse(listed, counters.known_names(renamed=True))
    lines: defaultdict[str, list[str]] = defaultdict(list)
    for period in periods:
        for now in range(period.start, period.end, step_s):
            for family in period.snapshot.scrape(rows, allowlists, now):
                for each in family.samples:
                    lines[family.name].append(f"{series(family.name, each.labels)} {number(each.value)} {now}\n")
    file.writelines(_families(lines.items()))


def _families(lines: Iterable[tuple[str, list[str]]]) -> Iterator[str]:
    """OpenMetrics wants all samples of a metric together, and an end."""
    for name, samples in lines:
        yield f"# TYPE {name} gauge\n"
        yield from samples
    yield "# EOF\n"
