"""What monitoring costs a Prometheus, and a preview.

    python -m benchmarks.monitoring [--nodes 10] [--pools 20] [--layouts 30] [--interval 3]

A real Prometheus scrapes synthetic exporters of nodes with 8 GPUs and 7 slices each, a pod on every slice, and
evaluates all rules. Its processor time is that of scrapes and rules together, so other work on the machine counts
little; it has no history, so rules with long windows take longer after some hours. Then each query of the
dashboards runs once. The time of a preview is that of a Pulumi program that generates rules and dashboards, as a
multiple of one that only imports the package.

Exits 1 above a bound: bytes of the rules, series per slice, processor time per node, rows of the fleet dashboard,
time of the program.
"""

import argparse
import pickle
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.help import seconds
from benchmarks.prometheus_server import PrometheusServer, configuration, served
from benchmarks.synthetic_fleet import SLICES_PER_NODE, SyntheticFleet, exporters
from mig_fleet import toolchain
from mig_fleet.components.monitoring.content import PROMETHEUS_RULE_BYTES, dashboards, rules
from mig_fleet.monitoring.alerts.thresholds import Thresholds
from mig_fleet.monitoring.dashboards.queries import queries
from mig_fleet.monitoring.documentation import PAGE
from mig_fleet.monitoring.series import SLICE_COST

MOST_BYTES = PROMETHEUS_RULE_BYTES // 4
MOST_SERIES = 12.0
"""Recorded series per slice, with those of GPUs and nodes."""
MOST_PROCESSOR_S = 0.1
"""Per node and interval: with an interval of 30 s, a node takes at most a three-hundredth of a core."""
MOST_ROWS = 100
"""Of a query of the fleet dashboard, however many nodes there are."""
MOST_TIMES = 2.0
"""The program with rules and dashboards, as a multiple of its imports."""
MEASURED, PATIENCE = 4, 20
"""Intervals."""
PROGRAM = "import mig_fleet.stacks.program"
GENERATING = f"""
{PROGRAM}
import pickle, sys
from mig_fleet.components.monitoring.content import dashboards, rules
from mig_fleet.monitoring.alerts.thresholds import Thresholds
with open(sys.argv[1], "rb") as file:
    fleet = pickle.load(file)
rules(fleet, Thresholds(), "https://example.com", "prometheusRule")
dashboards(fleet)
"""


@dataclass(frozen=True)
class Figure:
    """A figure and its bound."""

    what: str
    value: float
    bound: float

    def __str__(self) -> str:
        return f"{self.what}: {self.value:.3g} (bound {self.bound:g})"


def evaluated(prometheus: PrometheusServer, fleet: SyntheticFleet, interval_s: int) -> list[Figure]:
    """Waits until all series are recorded, then measures some intervals."""
    for _ in range(PATIENCE):
        # Of the group that reads what all others record.
        if prometheus.number(f"count({SLICE_COST})") == fleet.nodes * SLICES_PER_NODE:
            break
        time.sleep(interval_s)
    else:
        sys.exit(f"not all series are recorded after {PATIENCE} intervals; try a longer --interval")
    before, started = prometheus.processor_s, time.monotonic()
    time.sleep(MEASURED * interval_s)
    intervals = (time.monotonic() - started) / interval_s
    used = (prometheus.processor_s - before) / intervals
    for group in sorted(prometheus.groups(), key=lambda each: -float(each["evaluationTime"]))[:3]:
        print(f"  {group['name']}: {group['evaluationTime']:.2f} s")
    recorded = prometheus.number('count({__name__=~"mig:.+"})')
    print(f"  {used:.2f} s of processor time in each interval of {interval_s} s")
    print(f"  {recorded:,.0f} recorded series, {recorded / fleet.nodes:.0f} per node")
    print(f"  {prometheus.resident_mib:,.0f} MiB of memory")
    return [
        Figure("recorded series per slice", recorded / fleet.nodes / SLICES_PER_NODE, MOST_SERIES),
        Figure("processor seconds per node and interval", used / fleet.nodes, MOST_PROCESSOR_S),
    ]


def asked(prometheus: PrometheusServer, boards: dict[str, str], fleet: SyntheticFleet) -> Figure:
    """The rows of all queries of the dashboards; prints the most of each."""
    most = {}
    for name, text in boards.items():
        found = queries(text, pool=fleet.monitored.pools[0].name, node=fleet.names[0], gpu="0")
        rows, title = max((len(prometheus.rows(expr)), title) for title, expr in found)
        most[name] = rows
        print(f"  {name}: at most {rows} rows, {title!r}")
    return Figure("rows of the fleet dashboard", most["mig-fleet-fleet.json"], MOST_ROWS)


def program_time(fleet: SyntheticFleet) -> Figure:
    """Of a program that generates rules and dashboards."""
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(pickle.dumps(fleet.monitored))
        generating = seconds([sys.executable, "-c", GENERATING, file.name])
    imports = seconds([sys.executable, "-c", PROGRAM])
    print(
        f"  {generating - imports:.2f} s of processor time to generate, beside {imports:.2f} s of the program's imports"
    )
    return Figure("times the program's imports", generating / imports, MOST_TIMES)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=10, help="(default: %(default)s)")
    parser.add_argument("--pools", type=int, default=20, help="(default: %(default)s)")
    parser.add_argument("--layouts", type=int, default=30, help="configs that a node may have (default: %(default)s)")
    parser.add_argument("--interval", type=int, default=3, help="seconds, of scrapes and rules (default: %(default)s)")
    arguments = parser.parse_args()
    fleet = SyntheticFleet(arguments.nodes, arguments.pools, arguments.layouts)
    program = toolchain.ensure([toolchain.family("prometheus")]).path("prometheus")
    text, boards = rules(fleet.monitored, Thresholds(), PAGE, "prometheusRule")[1], dashboards(fleet.monitored)
    print(f"{program}: {fleet.nodes} nodes in {fleet.pools} pools with {fleet.layouts} layouts:")
    print(
        f"  {text.count('record:')} recording rules and {text.count('alert:')} alerts, {len(text.encode()) >> 10} KiB"
    )
    with tempfile.TemporaryDirectory() as name, exporters(fleet) as address:
        folder = Path(name)
        (folder / "rules.yaml").write_text(text)
        settings = configuration(fleet, address, folder / "rules.yaml", arguments.interval)
        with served(program, folder, settings) as prometheus:
            figures = evaluated(prometheus, fleet, arguments.interval)
            figures.append(asked(prometheus, boards, fleet))
    figures += [Figure("bytes of the rules", len(text.encode()), MOST_BYTES), program_time(fleet)]
    for figure in figures:
        print(figure)
    return int(any(figure.value > figure.bound for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
