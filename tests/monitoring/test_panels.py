"""Every query of every panel has data on a real Prometheus, from raw series through the recording rules."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, product
from pathlib import Path

import pytest

from mig_fleet.model.strategy import Strategy
from mig_fleet.monitoring.dashboards import dashboards, expressions
from mig_fleet.monitoring.dashboards.queries import panels, queries, substituted
from mig_fleet.monitoring.exporter.fields import DRAM, MEMORY_CLOCK, SM, TEMPERATURE, TENSOR, XID
from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.monitoring.recording import recording_groups
from tests.monitoring.fleets import a_fleet, a_pool
from tests.monitoring.live_prometheus import scraping
from tests.monitoring.panels import Prometheus, choices, panels_without_data, unexpected
from tests.monitoring.promtool import Case, Promtool
from tests.monitoring.series_samples import (
    LEGACY,
    RENAMED,
    Exporter,
    Pod,
    Series,
    a_gpu,
    a_node,
    a_pod,
    a_slice,
    allocatable,
)

SMALL, LARGE, GPU_RESOURCE = "nvidia_com_mig_1g_10gb", "nvidia_com_mig_3g_40gb", "nvidia_com_gpu"
DEADLINE_S = 60


@dataclass(frozen=True)
class Cluster:
    """A fleet whose exporters and kube-state-metrics have a value for everything that a panel may show."""

    fleet: MonitoredFleet
    samples: list[Series]
    url: str = ""

    @cached_property
    def dashboards(self) -> dict[str, str]:
        return dashboards(self.fleet)


Slice = tuple[int, int, str, Pod | None, float]
"""GPU, number of the instance, profile, pod, activity."""


def a_full_slice(node: str, exporter: Exporter, each: Slice) -> Iterator[Series]:
    """A slice with every field of our list."""
    gpu, number, profile, pod, activity = each
    more = {SM: activity, TENSOR: activity, DRAM: activity, TEMPERATURE: 50, MEMORY_CLOCK: 2.6e9, XID: 31}
    for field, value in more.items():
        yield exporter.row(field, value, node, gpu=gpu, slice=number, profile=profile, pod=pod)
    yield from a_slice(node, number, profile, gpu=gpu, pod=pod, activity=activity, exporter=exporter)


def a_full_node(
    node: str, exporter: Exporter, slices: list[Slice], resources: Mapping[str, str], *, changing: bool = False
) -> Iterator[Series]:
    """A node with these slices and the pods that have them; ``resources`` is profile → resource."""
    board = "NVIDIA-H100-80GB-HBM3-MIG-3g.40gb"  # read under strategy single only
    yield from a_node(node, state="pending" if changing else "success", tainted=changing, product=board)
    for resource, count in Counter(resources[profile] for _, _, profile, _, _ in slices).items():
        yield from allocatable(node, resource, count)
    for each in slices:
        yield from a_full_slice(node, exporter, each)
        if pod := each[3]:
            yield from a_pod(pod.name, resources[each[2]], node=node)


def mixed() -> Cluster:
    """Nodes of both generations of the exporter, one of which changes, and one without MIG."""
    fleet = a_fleet(
        a_pool("inference", "H100-80GB", ({"3g.40gb": 2}, {"1g.10gb": 2, "1g.10gb+me": 1}), price=2.5, gpus=2),
        a_pool("training", "H100-80GB", (None,)),
    )
    resources = {"3g.40gb": LARGE, "1g.10gb": SMALL, "1g.10gb+me": f"{SMALL}_me"}

    def slices(node: str) -> list[Slice]:
        return [
            (0, 1, "3g.40gb", Pod(f"little-{node}"), 0.05),
            (0, 2, "3g.40gb", Pod(f"idle-{node}"), 0),
            (1, 7, "1g.10gb", Pod(f"busy-{node}"), 0.9),
            (1, 8, "1g.10gb", None, 0),
            (1, 9, "1g.10gb+me", Pod(f"video-{node}"), 0.5),
        ]

    samples = [
        *a_full_node("node-a", LEGACY, slices("node-a"), resources),
        *a_full_node("node-b", RENAMED, slices("node-b"), resources, changing=True),
        *a_node("node-c", "training", "training-1"),
        *a_gpu("node-c", pod=Pod("large")),
        *a_pod("waiting", SMALL, 2, phase="Pending"),
    ]
    return Cluster(fleet, samples)


def single() -> Cluster:
    """Every slice is one ``nvidia.com/gpu``."""
    fleet = a_fleet(a_pool("inference", "H100-80GB", ({"3g.40gb": 2},), price=2.5), strategy=Strategy.SINGLE)
    slices: list[Slice] = [(0, 1, "3g.40gb", Pod("little"), 0.05), (0, 2, "3g.40gb", Pod("idle"), 0)]
    samples = [
        *a_full_node("node-a", RENAMED, slices, {"3g.40gb": GPU_RESOURCE}, changing=True),
        *a_pod("waiting", GPU_RESOURCE, phase="Pending"),
    ]
    return Cluster(fleet, samples)


@pytest.fixture(scope="module", params=[mixed, single], ids=["mixed", "single"])
def cluster(
    request: pytest.FixtureRequest, prometheus: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """A cluster with a Prometheus that has all series: one that is recorded from others needs a few evaluations."""
    found: Cluster = request.param()
    folder, deadline = tmp_path_factory.mktemp("prometheus"), time.monotonic() + DEADLINE_S
    with scraping(prometheus, folder, found.samples, recording_groups(found.fleet)) as url:
        while panels_without_data(url, found.dashboards) and time.monotonic() < deadline:
            time.sleep(1)
        yield replace(found, url=url)


@pytest.mark.engine
def test_every_query_of_every_panel_has_data(cluster: Cluster) -> None:
    assert unexpected(panels_without_data(cluster.url, cluster.dashboards), {}) == []


@pytest.mark.engine
def test_a_table_has_a_column_for_each_label_of_its_rows(cluster: Cluster) -> None:
    for title, columns, rows in tables(cluster):
        for row in chain.from_iterable(rows):
            assert row.keys() <= columns, title


@pytest.mark.engine
def test_the_columns_of_slices_name_profiles_alike(cluster: Cluster) -> None:
    """A row with only some of its values would be two rows: declared and offered under different names."""
    for title, _, (declared, *others) in tables(cluster):
        if title.startswith("Declared"):
            assert declared
            assert all(set(map(str, rows)) == set(map(str, declared)) for rows in others[:2]), "reported and offered"


def tables(cluster: Cluster) -> Iterator[tuple[str, set[str], list[list[dict[str, str]]]]]:
    """The title, the columns and the rows of each query of each table, for each choice of the variables."""
    asked = Prometheus(cluster.url)
    for text in cluster.dashboards.values():
        board = json.loads(text)
        variables = [each for each in board["templating"]["list"] if each["type"] == "query"]
        for panel, choice in product(panels(board), choices(asked, variables)):
            if panel["type"] == "table" and choice.get("pool") != "training":
                columns = set(panel["transformations"][1]["options"]["indexByName"])
                rows = [asked.rows(substituted(target["expr"], **choice)) for target in panel["targets"]]
                yield panel["title"], columns, [sorted(each, key=str) for each in rows]


@pytest.mark.engine
@pytest.mark.parametrize(
    "most, rows",
    [
        (7, {"slice": [str(number) for number in range(1, 8)], "gpu": ["0"] * 7}),
        (6, {"slice": ["all"], "gpu": ["all"]}),
    ],
    ids=["few slices", "many slices"],
)
def test_the_heat_map_of_a_large_pool_has_a_row_for_each_node(
    most: int, rows: Mapping[str, list[str]], promtool: Promtool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expressions, "MOST_SLICES", most)
    series = [*a_node("n1"), *chain.from_iterable(a_slice("n1", number) for number in range(1, 8))]
    (query,) = (
        expr
        for title, expr in queries(dashboards(a_fleet())["mig-fleet-pool.json"], pool="inference")
        if title == "Activity by slice"
    )
    shown = [({"slice": number, "gpu": gpu}, 1.0) for number, gpu in zip(rows["slice"], rows["gpu"], strict=True)]
    case = Case("one node", series, rows={f"group by (slice, gpu) ({query})": shown})
    promtool.verify(recording_groups(a_fleet()), case)


@pytest.mark.engine
def test_a_pod_that_is_gone_is_neither_idle_nor_a_candidate(promtool: Promtool) -> None:
    fleet = a_fleet(a_pool("inference", "H100-80GB", [{"3g.40gb": 2}]))
    series = [
        *a_node("n1"),
        *a_slice("n1", 1, "3g.40gb", pod=Pod("here"), activity=0),
        *(
            row | {"values": f"{row['values'].partition('+')[0]}x20 stale"}
            for row in a_slice("n1", 2, "3g.40gb", pod=Pod("gone"), activity=0)
        ),
    ]
    shown = [
        expr
        for title, expr in queries(dashboards(fleet)["mig-fleet-pool.json"], pool="inference")
        if title in ("Idle slices with a pod", "Candidates for a smaller profile")
    ]
    assert len(shown) == 3
    rows = {f"count by (pod) ({expr})": [({"pod": "here"}, 1.0)] for expr in shown}
    promtool.verify(recording_groups(fleet), Case("one pod is gone", series, at="31m", rows=rows))


@pytest.mark.engine
def test_a_panel_and_a_variable_without_data_are_found(cluster: Cluster) -> None:
    board = {
        "templating": {"list": [{"type": "query", "name": "pool", "query": "label_values(mig:missing:info, pool)"}]},
        "panels": [
            {"type": "stat", "title": "Half", "targets": [{"expr": "vector(1)"}, {"expr": "mig:missing:info"}]},
            {"type": "stat", "title": "Not a number", "targets": [{"expr": "vector(0) / 0"}]},
            {"type": "stat", "title": "Full", "targets": [{"expr": "vector(1)"}]},
        ],
    }
    found = panels_without_data(cluster.url, {"a.json": json.dumps(board)})
    assert found == ["a.json: $pool", "a.json: Half", "a.json: Not a number"]


def test_a_panel_that_has_data_must_leave_the_list_of_those_that_cannot() -> None:
    reasons = {"a: X": "nothing fails", "a: Y": "no pod waits"}
    assert unexpected(["a: X", "a: Z"], reasons) == ["a: Z has no data", "a: Y has data, although: no pod waits"]
