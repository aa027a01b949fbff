"""A real Prometheus with two weeks of recorded series gives the advice that follows from them."""

import json
import math
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner

from mig_fleet.advice.window import STEP_S, Window
from mig_fleet.cli.__main__ import main
from mig_fleet.cli.exit_codes import ExitCode
from mig_fleet.monitoring import series
from tools.prometheus_process import running

pytestmark = pytest.mark.engine

GIB: Final = 1 << 30
WINDOW: Final = Window.parse("14d")
AHEAD: Final = 4
"""Samples after now, so that the test may take some minutes."""
STACK: Final = """\
config:
  mig-fleet:cluster: {context: c}
  mig-fleet:layouts:
    quiet: {gpu: H100-80GB, all: {3g.40gb: 2}}  # two halves
    hot: {gpu: H100-80GB, all: {3g.40gb: 2}}
    reserved: {gpu: H100-80GB, all: {3g.40gb: 2}}
    young: {gpu: H100-80GB, all: {3g.40gb: 2}}
    mixed: {gpu: H100-80GB, all: {3g.40gb: 1, 2g.20gb: 2}}
  mig-fleet:pools:
    quiet: {gpu: H100-80GB, gpusPerNode: 2, nodes: [quiet-1.example.com], layout: quiet}
    hot: {gpu: H100-80GB, gpusPerNode: 1, selector: {matchLabels: {role: hot}}, layout: hot}
    reserved: {gpu: H100-80GB, gpusPerNode: 1, nodes: [reserved-1], layout: reserved}
    young: {gpu: H100-80GB, gpusPerNode: 1, nodes: [young-1], layout: young}
    mixed: {gpu: H100-80GB, gpusPerNode: 1, nodes: [mixed-1], layout: mixed}
  mig-fleet:prices: {H100-80GB: 2.50}
"""


@dataclass(frozen=True)
class ASlice:
    """A slice whose values are functions of the number of the sample, from 0; None is a sample that is absent."""

    node: str
    gpu: int
    slice: int
    activity: Callable[[int], float | None]
    sm: Callable[[int], float | None] = lambda _: 0.05
    dram: Callable[[int], float | None] = lambda _: 0.2
    memory: Callable[[int], float] = lambda _: 4 * GIB
    pod: Callable[[int], str] = lambda _: "server-0"
    profile: str = "3g.40gb"

    def samples(self, name: str, value: Callable[[int], float | None], end: int) -> Iterator[str]:
        """The lines of one series name; a change of the pod is a change of the series."""
        labels = {"node": self.node, "gpu": self.gpu, "uuid": f"GPU-{self.node}-{self.gpu}", "model": "NVIDIA H100"}
        labels |= {"profile": self.profile, "slice": self.slice}
        for number in range(WINDOW.samples + AHEAD):
            if (found := value(number)) is not None:
                pod = self.pod(number)
                own = {"namespace": "team-a", "pod": pod, "container": "main"} if pod else {}
                pairs = ",".join(f'{key}="{text}"' for key, text in (labels | own).items())
                yield f"{name}{{{pairs}}} {found} {end + (number - WINDOW.samples) * STEP_S}\n"


def peaks(number: int) -> float:
    """Busy for a tenth of the time."""
    return 0.4 if number % 10 == 0 else 0.1


def moves(number: int) -> str:
    """One pod, then none for a twentieth of the time, then another one."""
    part = number / WINDOW.samples
    return "server-0" if part < 0.5 else "" if part < 0.55 else "server-1"


def one_peak(number: int) -> float:
    return (10 if number == 1000 else 4) * GIB


def recent(number: int) -> float | None:
    return 0.1 if number > WINDOW.samples - 5 * 288 else None


SLICES: Final = [
    *(ASlice("quiet-1.example.com", gpu, n, peaks, memory=one_peak, pod=moves) for gpu in (0, 1) for n in (1, 2)),
    ASlice("hot-1", 0, 1, lambda _: 0.1),
    ASlice("hot-1", 0, 2, lambda _: 0.3, sm=lambda _: 0.99),
    ASlice("reserved-1", 0, 1, lambda _: 0.1),
    ASlice("reserved-1", 0, 2, lambda _: 0.1, memory=lambda _: 36 * GIB),
    *(ASlice("young-1", 0, n, recent, sm=recent, dram=recent) for n in (1, 2)),
    ASlice("mixed-1", 0, 1, lambda _: 0.1),
    *(ASlice("mixed-1", 0, n, lambda _: 0.1, profile="2g.20gb") for n in (2, 3)),
]


def open_metrics(end: int) -> Iterator[str]:
    """All series in OpenMetrics' text, one name after the other, until some minutes after ``end``."""
    values: dict[str, Callable[[ASlice], Callable[[int], float | None]]] = {
        series.ACTIVITY: lambda each: each.activity,
        series.SM_ACTIVITY: lambda each: each.sm,
        series.DRAM_ACTIVITY: lambda each: each.dram,
        series.MEMORY_USED: lambda each: each.memory,
        series.MEMORY_RATIO: lambda each: lambda number: each.memory(number) / (39.5 * GIB),
    }
    for name, of_slice in values.items():
        yield f"# TYPE {name} gauge\n"
        yield from (line for each in SLICES for line in each.samples(name, of_slice(each), end))
    constants = {f'{series.PROFILE_COMPUTE}{{pool="quiet",profile="3g.40gb"}}': 3}
    constants[f'{series.NODE}{{node="hot-1",pool="hot",config="hot-1"}}'] = 1
    for row, value in constants.items():
        yield f"# TYPE {row.partition('{')[0]} gauge\n"
        yield from (f"{row} {value} {end + number * STEP_S}\n" for number in range(-2, AHEAD))
    yield "# EOF\n"


@pytest.fixture(scope="module")
def blocks(promtool: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data of a Prometheus, and a configuration that scrapes nothing."""
    folder = tmp_path_factory.mktemp("prometheus")
    text = folder / "series.txt"
    text.write_text("".join(open_metrics(math.floor(time.time() / STEP_S) * STEP_S)))
    (folder / "prometheus.yml").write_text("global: {}\n")
    # One large block: promtool reads the whole text for each block.
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", "--quiet", "--max-block-duration=432h"]
    subprocess.run([*command, str(text), str(folder / "data")], check=True, capture_output=True, timeout=240)
    return folder


@pytest.fixture(scope="module")
def url(prometheus: Path, blocks: Path) -> Iterator[str]:
    with running(prometheus, blocks, blocks / "prometheus.yml") as server:
        yield server.url


@pytest.fixture(scope="module")
def advice(url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("stack") / "stack.yaml"
    path.write_text(STACK)
    result = CliRunner().invoke(main, ["advise", str(path), "--prometheus", url, "--json"], prog_name="mig-fleet")
    assert result.exit_code == ExitCode.SUCCESS, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def layout(advice: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (each for each in advice["layouts"] if each["layout"] == name)
    return dict(found)


def test_quiet_slices_become_smaller(advice: dict[str, Any]) -> None:
    quiet = layout(advice, "quiet")
    (finding,) = quiet["findings"]
    assert (finding["outcome"], finding["confidence"]) == ("smaller", "high")
    assert finding["busy"] == pytest.approx(0.4), "the 95th percentile over both pods"
    assert finding["bandwidth"] == pytest.approx(0.2)
    assert finding["memoryBytes"] == 10 * GIB, "a single sample counts"
    assert finding["coverage"] == pytest.approx(0.95, abs=0.005), "without a pod for a twentieth of the time"
    assert finding["reported"] == pytest.approx(1, abs=0.001)
    assert quiet["after"] == [{"gpus": None, "profiles": {"2g.20gb": 3}}]
    assert quiet["savedPerHourUsd"] == pytest.approx(2.5 * 2 / 3)
    assert "+    quiet: {gpu: H100-80GB, all: {2g.20gb: 3}}  # two halves\n" in advice["diff"]


def test_a_slice_whose_sms_are_busy_is_saturated(advice: dict[str, Any]) -> None:
    (finding,) = layout(advice, "hot")["findings"]
    assert layout(advice, "hot")["nodes"] == 1, "by the recorded series of nodes"
    assert finding["outcome"] == "saturated" and finding["busy"] == pytest.approx(0.99)


def test_a_server_that_reserves_its_memory_is_not_sized(advice: dict[str, Any]) -> None:
    (finding,) = layout(advice, "reserved")["findings"]
    assert finding["outcome"] == "preallocated" and finding["preallocated"] is True


def test_five_days_of_fourteen_are_not_enough(advice: dict[str, Any]) -> None:
    (finding,) = layout(advice, "young")["findings"]
    assert finding["outcome"] == "not-enough-history" and finding["confidence"] == "low"
    assert finding["coverage"] == pytest.approx(5 / 14, abs=0.01)


def test_unequal_slices_are_not_sized(advice: dict[str, Any]) -> None:
    assert {each["outcome"] for each in layout(advice, "mixed")["findings"]} == {"heterogeneous"}


def test_only_the_quiet_layout_changes(advice: dict[str, Any]) -> None:
    assert [each["layout"] for each in advice["layouts"] if each["after"]] == ["quiet"]
    assert advice["warnings"] == []


def test_five_days_are_enough_for_a_window_of_five_days(url: str, tmp_path: Path) -> None:
    path = tmp_path / "stack.yaml"
    path.write_text(STACK)
    result = CliRunner().invoke(main, ["advise", str(path), "--prometheus", url, "--window", "5d", "--json"])
    found = json.loads(result.stdout)
    assert layout(found, "young")["findings"][0]["outcome"] == "smaller"
    assert layout(found, "quiet")["findings"][0]["memoryBytes"] == 4 * GIB, "the peak was before the window"


def test_a_prometheus_without_the_rules_is_named(prometheus: Path, blocks: Path, tmp_path: Path) -> None:
    with running(prometheus, tmp_path, blocks / "prometheus.yml") as empty:
        result = CliRunner().invoke(main, ["advise", "--stack", "prod", "--prometheus", empty.url])
    assert result.exit_code == ExitCode.FAILURE
    assert "the rules of mig-fleet are not loaded in this Prometheus" in result.output


def test_a_query_that_reads_too_much_is_named_with_the_remedy(prometheus: Path, blocks: Path, tmp_path: Path) -> None:
    shutil.copytree(blocks / "data", tmp_path / "data")
    path = tmp_path / "stack.yaml"
    path.write_text(STACK)
    with running(prometheus, tmp_path, blocks / "prometheus.yml", "--query.max-samples=1000") as limited:
        result = CliRunner().invoke(main, ["advise", str(path), "--prometheus", limited.url])
    assert result.exit_code == ExitCode.FAILURE
    assert "too many samples into memory in query execution; try a shorter --window" in result.output
