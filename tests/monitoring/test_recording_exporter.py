"""The series of slices and GPUs are the same, whichever exporter wrote them."""

from dataclasses import replace

import pytest

from mig_fleet.monitoring import series
from mig_fleet.monitoring.exporter.fields import (
    DRAM,
    FB_FREE,
    FB_USED,
    GR_ENGINE,
    MEMORY_CLOCK,
    MIG_MODE,
    POWER,
    SM,
    TEMPERATURE,
    TENSOR,
    XID,
    Field,
)
from mig_fleet.monitoring.recording import recording_groups
from tests.monitoring.fleets import a_fleet, a_pool
from tests.monitoring.promtool import Case, Promtool, Rows, rounded
from tests.monitoring.series_samples import (
    GIB,
    H100,
    LEGACY,
    RENAMED,
    Exporter,
    Pod,
    Series,
    a_gpu,
    a_node,
    a_slice,
    uuid,
)

pytestmark = pytest.mark.engine

FLEET = a_fleet(a_pool(gpus=2), a_pool("small", "A30-24GB", ({"1g.6gb": 4},)))
GROUPS = recording_groups(FLEET)
EXPORTERS = {
    "legacy names, Hostname": LEGACY,
    "legacy names, hostname": replace(LEGACY, host="hostname"),
    "legacy names, node by a relabeling": replace(LEGACY, relabeled=True),
    "no label of the exporter's own": replace(LEGACY, host="no_label", relabeled=True),
    "new names, hostname": RENAMED,
}
POD = Pod("server-0", "team-a", "main")
GPU = {"node": "n1", "gpu": "0", "uuid": uuid("n1"), "model": H100}
SLICE = {**GPU, "profile": "1g.10gb", "slice": "7"}
WITH_POD = {**SLICE, "namespace": "team-a", "pod": "server-0", "container": "main"}


def rows_of(field: Field, value: float, exporter: Exporter) -> list[Series]:
    """A value on the rows of two slices, of which one has a pod."""
    return [
        exporter.row(field, value, "n1", slice=7, profile="1g.10gb", pod=POD),
        exporter.row(field, value, "n1", slice=8, profile="1g.10gb"),
    ]


@pytest.mark.parametrize("exporter", EXPORTERS.values(), ids=EXPORTERS.keys())
def test_each_slice_has_a_row_with_our_labels_and_units(promtool: Promtool, exporter: Exporter) -> None:
    fields = {GR_ENGINE: 0.5, SM: 0.25, TENSOR: 0.125, DRAM: 0.75, FB_USED: 2 * GIB, FB_FREE: 6 * GIB, XID: 31}
    expected = {
        series.ACTIVITY: 0.5,
        series.SM_ACTIVITY: 0.25,
        series.TENSOR_ACTIVITY: 0.125,
        series.DRAM_ACTIVITY: 0.75,
        series.MEMORY_USED: 2 * GIB,
        series.MEMORY_RATIO: 0.25,
    }
    samples = [row for field, value in fields.items() for row in rows_of(field, value, exporter)]
    free = {**SLICE, "slice": "8"}
    rows: dict[str, Rows] = {name: [(WITH_POD, value), (free, value)] for name, value in expected.items()}
    rows[series.XID] = [(SLICE, 31), (free, 31)]
    promtool.verify(GROUPS, Case("two slices", samples, rows=rows))


@pytest.mark.parametrize("exporter", EXPORTERS.values(), ids=EXPORTERS.keys())
def test_a_value_of_the_board_is_counted_once(promtool: Promtool, exporter: Exporter) -> None:
    fields = {POWER: 412.5, TEMPERATURE: 64, MEMORY_CLOCK: 2.619e9}
    samples = [row for field, value in fields.items() for row in rows_of(field, value, exporter)]
    expected = {series.POWER: 412.5, series.TEMPERATURE: 64, series.MEMORY_CLOCK: 2.619e9}
    rows = {name: [(GPU, value)] for name, value in expected.items()}
    promtool.verify(GROUPS, Case("two slices", samples, rows=rows))


@pytest.mark.parametrize("own", ["hostname", "Hostname"])
def test_a_label_by_a_relabeling_wins_over_the_exporters_own(promtool: Promtool, own: str) -> None:
    row = replace(LEGACY, host=own).row(GR_ENGINE, 0.5, "a-pod", slice=7, profile="1g.10gb", pod=POD, node="n1",
                                        UUID=uuid("n1"))  # fmt: skip
    promtool.verify(GROUPS, Case("both labels", [row], rows={series.ACTIVITY: [(WITH_POD, 0.5)]}))


def test_a_value_above_1_is_1(promtool: Promtool) -> None:
    samples = [*rows_of(SM, 1.29, LEGACY)[:1], LEGACY.row(GR_ENGINE, 1.02, "n2")]
    rows: dict[str, Rows] = {
        f"max({series.SM_ACTIVITY})": [({}, 1.0)],
        f"max({series.WHOLE_GPU_ACTIVITY})": [({}, 1.0)],
    }
    promtool.verify(GROUPS, Case("too much", samples, rows=rows))


SECOND = {
    "another pod": replace(LEGACY, own_pod="nvidia-dcgm-exporter-y2"),
    "a relabeling": replace(LEGACY, own_pod="nvidia-dcgm-exporter-y2", relabeled=True),
    "another version": replace(RENAMED, job="dcgm-exporter"),
}


@pytest.mark.parametrize("kind", SECOND)
def test_two_exporters_of_a_node_give_one_row(promtool: Promtool, kind: str) -> None:
    """A second ServiceMonitor, with or without a relabeling, or the pod that replaces another one."""
    samples = [
        exporter.row(field, value * factor, "n1", slice=7, profile="1g.10gb", pod=POD)
        for exporter, factor in ((LEGACY, 1), (SECOND[kind], 0.5))
        for field, value in ((GR_ENGINE, 0.5), (POWER, 300.0))
    ]
    rows: dict[str, Rows] = {series.ACTIVITY: [(WITH_POD, 0.5)], series.POWER: [(GPU, 300.0)]}
    promtool.verify(GROUPS, Case(kind, samples, rows=rows))


def test_series_of_another_job_are_not_read(promtool: Promtool) -> None:
    samples = rows_of(GR_ENGINE, 0.5, replace(LEGACY, job="another"))
    promtool.verify(GROUPS, Case("another job", samples, rows={series.ACTIVITY: []}))


def test_a_gpu_without_mig_has_a_row_of_its_own_and_is_no_slice(promtool: Promtool) -> None:
    samples = [*a_gpu("n1", pod=POD, activity=0.75), *a_node("n1")]
    pod = {"namespace": "team-a", "pod": "server-0", "container": "main"}
    rows: dict[str, Rows] = {
        series.ACTIVITY: [],
        series.WHOLE_GPU_ACTIVITY: [({**GPU, **pod}, 0.75)],
        series.GPU_ACTIVITY: [({**GPU, "pool": "inference"}, 0.75)],
        series.POWER: [(GPU, 300.0)],
    }
    promtool.verify(GROUPS, Case("a whole GPU", samples, rows=rows))


def test_a_gpu_with_mig_is_not_whole_even_if_the_exporter_has_a_row_for_it(promtool: Promtool) -> None:
    watched = [LEGACY.row(GR_ENGINE, 0.5, "n1"), *a_slice("n1", 7)]
    without_slices = [LEGACY.row(GR_ENGINE, 0.0, "n2"), LEGACY.row(MIG_MODE, 1, "n2")]
    off = [LEGACY.row(GR_ENGINE, 0.0, "n3"), LEGACY.row(MIG_MODE, 0, "n3")]
    rows = {f"count by (node) ({series.WHOLE_GPU_ACTIVITY})": [({"node": "n3"}, 1.0)]}
    promtool.verify(GROUPS, Case("GPUs and slices", [*watched, *without_slices, *off], rows=rows))


def test_the_activity_of_a_gpu_is_weighted_by_compute_slices_of_its_model(promtool: Promtool) -> None:
    mixed = [*a_slice("n1", 1, "3g.40gb", activity=1), *a_slice("n1", 7, "1g.10gb", activity=0.5), *a_node("n1")]
    small = [*a_slice("n2", 3, "1g.6gb", activity=1, model="NVIDIA A30"), *a_node("n2", "small", "small-1")]
    misspelled = [*a_slice("n3", 0, "7g.79gb", activity=0.4), *a_node("n3")]
    rows = {
        rounded(f"sum by (node, pool) ({series.GPU_ACTIVITY})"): [
            ({"node": "n1", "pool": "inference"}, 0.5),
            ({"node": "n2", "pool": "small"}, 0.25),
            ({"node": "n3", "pool": "inference"}, 0.4),
        ]
    }
    promtool.verify(GROUPS, Case("3g and 1g; an A30; a wrong name", [*mixed, *small, *misspelled], rows=rows))


def test_pods_that_share_a_slice_count_its_activity_once(promtool: Promtool) -> None:
    shared = [*a_slice("n1", 0, "7g.80gb", pod=POD), *a_slice("n1", 0, "7g.79gb", pod=Pod("server-1"))]
    rows = {series.GPU_ACTIVITY: [({**GPU, "pool": "inference"}, 0.5)]}
    promtool.verify(GROUPS, Case("time-slicing", [*shared, *a_node("n1")], rows=rows))
