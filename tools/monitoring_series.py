"""Records the series of the picture of the pool dashboard: ``make monitoring-series`` writes them.

A simulated pool of two nodes runs for some hours, of which one node gets another layout. Prometheus has what its
exporters and kube-state-metrics report, evaluates our rules, and answers the queries of the dashboard. No value is made
up here but the pods and their load. ``make pictures`` draws what was recorded, without Prometheus.
"""

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from urllib.request import urlopen

from mig_fleet import toolchain
from mig_fleet.monitoring import kube_state_metrics, recording
from mig_fleet.monitoring.dashboards import dashboards
from mig_fleet.monitoring.dashboards.queries import queries
from mig_fleet.monitoring.exporter import Generation, metrics_csv
from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.monitoring.rules import Group, Record, rule_file, rule_text
from mig_fleet.simulator.history import write
from mig_fleet.simulator.telemetry.kube_state_metrics import Allowlists
from mig_fleet.stack_file import fleet as fleets
from mig_fleet.stack_file.monitored_fleet import monitored_fleet
from tools import simulated_pool as pool
from tools.prometheus_process import running

FILE: Final = Path(__file__).parents[1] / "tests" / "monitoring" / "pictures" / "pool.json"
PANELS: Final = (
    "Activity by slice",
    "Requested and offered over time",
    "Cost by part",
    "Reconfiguration history",
)
"""Titles of panels of the pool dashboard."""
SHOWN_STEP_S: Final = 120
"""Between two values of the picture."""
LOOKBACK_S: Final = pool.STEP_S - 1
"""Each value is used at its own time only: these series have no markers of their ends."""


def record() -> dict[str, Any]:
    """Panel → what each of its queries returns. The same code gives the same values."""
    fleet = fleets.parse(pool.STACK, "the picture")
    monitored = monitored_fleet(fleet)
    tools = toolchain.ensure([toolchain.family("prometheus")])
    prometheus, promtool = tools.path("prometheus"), tools.path("promtool")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        history = Path(folder) / "history"
        configs = {name: layout.config_name for name, layout in fleet.layouts.items()}
        with history.open("w") as file:
            allowlists = Allowlists(frozenset(kube_state_metrics.LABELS), frozenset(kube_state_metrics.ANNOTATIONS))
            write(file, list(pool.periods(configs)), pool.STEP_S, metrics_csv(Generation.LEGACY), allowlists)
        _run(promtool, "tsdb", "create-blocks-from", "openmetrics", history, data)
        start, end = pool.at(-pool.WARM_UP_MIN), pool.at(pool.SHOWN_MIN)
        for rules in _passes(monitored):
            # The names of file and group decide at which second of an interval the rules are evaluated: the same in
            # each pass, so that a pass sees the values of the one before.
            (Path(folder) / "rules.yaml").write_text(rules)
            with _served(prometheus, Path(folder)) as url:
                _run(
                    promtool, "tsdb", "create-blocks-from", "rules", f"--start={start}", f"--end={end}",
                    f"--eval-interval={pool.STEP_S}s", f"--url={url}", "--output-dir=made", "rules.yaml", folder=folder,
                )  # fmt: skip
            # Not while Prometheus runs, which compacts its folder.
            for block in (Path(folder) / "made").iterdir():
                block.rename(data / block.name)
        with _served(prometheus, Path(folder)) as url:
            return _answers(url, dashboards(monitored)["mig-fleet-pool.json"])


def _passes(fleet: MonitoredFleet) -> Iterator[str]:
    """Rule files, each of which reads only what earlier ones recorded: promtool does not show a rule what the same run
    records (Prometheus, "Storage", limitations of backfilling).
    """
    left = [rule for group in recording.recording_groups(fleet) for rule in group.rules if isinstance(rule, Record)]
    while left:
        unknown = {rule.record for rule in left}
        ready = [rule for rule in left if unknown.isdisjoint(re.findall(r"mig:\w+:\w+", rule.expr))]
        assert ready, "the rules have a circle"
        now = {rule.record for rule in ready} - {rule.record for rule in left if rule not in ready}
        chosen = tuple(rule for rule in ready if rule.record in now)
        yield rule_text(rule_file([Group("pass", chosen)]))
        left = [rule for rule in left if rule not in chosen]


def _answers(url: str, board: str) -> dict[str, Any]:
    found: dict[str, list[Any]] = {title: [] for title in PANELS}
    for title, expr in queries(board, pool=pool.POOL):
        if title in found:
            found[title].append({"expr": expr, "series": _range(url, expr)})
    return {
        "start": pool.START,
        "step": SHOWN_STEP_S,
        "count": pool.SHOWN_MIN * 60 // SHOWN_STEP_S + 1,
        "panels": found,
    }


def _range(url: str, expr: str) -> list[dict[str, Any]]:
    """Each series with one value per step; None where it has none."""
    steps = range(pool.at(0), pool.at(pool.SHOWN_MIN) + 1, SHOWN_STEP_S)
    query = urlencode({"query": expr, "start": steps[0], "end": steps[-1], "step": SHOWN_STEP_S})
    with urlopen(f"{url}/api/v1/query_range?{query}", timeout=60) as answer:
        series = json.load(answer)["data"]["result"]
    rows = []
    for each in series:
        values = {int(float(at)): round(float(value), 3) for at, value in each["values"]}
        rows.append({"labels": each["metric"], "values": [values.get(at) for at in steps]})
    return sorted(rows, key=lambda row: sorted(row["labels"].items()))


@contextmanager
def _served(program: Path, folder: Path) -> Iterator[str]:
    """The URL of a Prometheus that reads the blocks in ``data`` of the folder and scrapes nothing."""
    config = folder / "prometheus.yml"
    config.write_text("{}")
    flags = (f"--query.lookback-delta={LOOKBACK_S}s", "--storage.tsdb.retention.time=10y", "--log.level=warn")
    with running(program, folder, config, *flags) as prometheus:
        yield prometheus.url


def _run(*command: object, folder: str | None = None) -> None:
    words: Sequence[str] = [str(word) for word in command]
    done = subprocess.run(words, check=False, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr


def text(recorded: dict[str, Any]) -> str:
    """One series per line."""
    panels = ",\n".join(
        f"{json.dumps(title)}: [\n" + ",\n".join(_lines(answer) for answer in answers) + "]"
        for title, answers in recorded["panels"].items()
    )
    head = {key: value for key, value in recorded.items() if key != "panels"}
    return f'{json.dumps(head)[:-1]}, "panels": {{\n{panels}}}}}\n'


def _lines(answer: dict[str, Any]) -> str:
    series = ",\n".join(map(json.dumps, answer["series"]))
    return f'{{"expr": {json.dumps(answer["expr"])}, "series": [\n{series}]}}'


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text(record()), "utf-8")
    print(FILE)
