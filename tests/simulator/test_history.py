"""Days of series without a running fleet."""

import io
import re
import subprocess
from pathlib import Path

import pytest

from mig_fleet.model import labels
from mig_fleet.simulator.history import Period, SyntheticNode, SyntheticPod, synthetic_snapshot, write
from mig_fleet.simulator.node.allocation import AllocationFailed
from mig_fleet.simulator.telemetry.kube_state_metrics import Allowlists

START, STEP = 1_790_000_000, 300
ACTIVITY = "DCGM_FI_PROF_GR_ENGINE_ACTIVE"
LIST = f"{ACTIVITY}, gauge, activity\nDCGM_FI_DEV_FB_USED, gauge, used\n"
ALLOWLISTS = Allowlists(frozenset({labels.CONFIG}), frozenset({labels.WAVE}))
BUSY = SyntheticPod("busy", "1g.10gb", count=2, namespace="ml", activity=1)
MIXED = SyntheticNode(
    "node-1", "H100-80GB", ({"1g.10gb": 2, "3g.40gb": 1}, None), pool="pool", config="mixed-1", pods=(BUSY,)
)


def history(*periods: Period) -> str:
    file = io.StringIO()
    write(file, periods, STEP, LIST, ALLOWLISTS)
    return file.getvalue()


def a_day() -> str:
    waits = SyntheticPod("waits", "1g.10gb")
    return history(Period(synthetic_snapshot([MIXED], [waits]), START, START + 86400))


def test_each_series_has_a_sample_per_step_and_a_slice_without_a_pod_has_no_exported_pod() -> None:
    found = [line for line in a_day().splitlines() if line.startswith(f"{ACTIVITY}{{")]
    steps = 86400 // STEP
    assert len(found) == 4 * steps, "three slices and a GPU without MIG"
    taken = [line for line in found if 'exported_pod="busy"' in line]
    assert len(taken) == 2 * steps and all(" 1 " in line for line in taken)
    assert sum('GPU_I_PROFILE="3g.40gb"' in line and "exported_pod" not in line for line in found) == steps


def test_the_samples_of_a_metric_are_together_in_the_order_of_time_and_the_file_has_an_end() -> None:
    lines = a_day().splitlines()
    assert lines[-1] == "# EOF"
    names = [line.split("{")[0] for line in lines if not line.startswith("#")]
    blocks = [name for name, before in zip(names, ["", *names], strict=False) if name != before]
    assert len(blocks) == len(set(blocks))
    times = [int(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{ACTIVITY}{{")]
    assert times == sorted(times)


def test_the_cluster_has_the_labels_resources_and_pods_that_rules_read() -> None:
    text = a_day()
    for expected in (
        'kube_node_labels{job="kube-state-metrics",instance="kube-state-metrics:8080",node="node-1",'
        'label_nvidia_com_mig_config="mixed-1"} 1',
        'annotation_mig_fleet_dev_wave="pool-canary"',
        'node="node-1",resource="nvidia_com_mig_1g_10gb",unit="integer"} 2',
        'pod="waits",uid="uid-waits",phase="Pending"} 1',
    ):
        assert expected in text, expected


def test_periods_follow_each_other_with_other_pods_and_layouts() -> None:
    empty = SyntheticNode("node-1", "H100-80GB", ({"1g.10gb": 1},), pool="pool", config="one-1")
    text = history(
        Period(synthetic_snapshot([MIXED]), START, START + STEP),
        Period(synthetic_snapshot([empty]), START + STEP, START + 2 * STEP),
    )
    at = [line.rsplit(" ", 1)[1] for line in text.splitlines() if line.startswith(f"{ACTIVITY}{{")]
    assert at == [str(START)] * 4 + [str(START + STEP)]


def test_more_slices_than_a_node_has_are_refused() -> None:
    with pytest.raises(AllocationFailed, match=re.escape("node-2 has 1 free nvidia.com/mig-1g.10gb, busy requests 2")):
        synthetic_snapshot([SyntheticNode("node-2", "H100-80GB", ({"1g.10gb": 1},), "pool", "one-1", (BUSY,))])


@pytest.mark.engine
def test_promtool_makes_blocks_of_it(promtool: str, tmp_path: Path) -> None:
    file, data = tmp_path / "history", tmp_path / "data"
    file.write_text(a_day())
    make = [promtool, "tsdb", "create-blocks-from", "--max-block-duration=24h", "openmetrics", str(file), str(data)]
    subprocess.run(make, check=True, capture_output=True)
    (data / "wal").mkdir()  # promtool 2.42 dumps nothing without it
    dump = [promtool, "tsdb", "dump", str(data)]
    dumped = subprocess.run(dump, check=True, capture_output=True, text=True).stdout
    assert sum(ACTIVITY in line for line in dumped.splitlines()) == 4 * 86400 // STEP
