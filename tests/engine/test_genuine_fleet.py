"""The story of the README on a fleet that `mig-fleet simulate up --genuine` starts: NVIDIA's own MIG Manager changes
the GPUs.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from mig_fleet.simulator import Fleet
from mig_fleet.simulator.driver import Client
from mig_fleet.simulator.genuine import why_unavailable
from tests.conformance.conftest import require
from tests.engine.deployment import Deployment, baseline, create_project
from tests.own_fleet import fleet_of_the_command, simulate

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

HOPPER, AMPERE = "hopper-1", "ampere-1"
FLEET: Final = f"""
nodes:
  - {{name: {HOPPER}, gpu: H100-80GB, gpus: 2}}
  - {{name: {AMPERE}, gpu: A100-80GB, gpus: 2}}
"""


@pytest.fixture(scope="module")
def genuine_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two nodes with NVIDIA's own MIG Manager."""
    require(why_unavailable(), os.environ)
    with fleet_of_the_command(tmp_path_factory.mktemp("genuine"), FLEET, "--genuine") as fleet:
        yield fleet


@pytest.fixture
def project(genuine_fleet: Fleet, tmp_path: Path) -> Deployment:
    """A stack with a pool for each node, not yet deployed."""
    config = baseline(genuine_fleet)
    config["layouts"] = {
        "inference": {"gpu": "H100-80GB", "all": {"1g.10gb": 7}},
        "training": {"gpu": "A100-80GB", "all": {"3g.40gb": 2}},
    }
    config["pools"] = {
        "inference": a_pool("inference", HOPPER, "H100-80GB", onDelete="disable"),
        "training": a_pool("training", AMPERE, "A100-80GB", onDelete="retain"),
    }
    return create_project(tmp_path, genuine_fleet, config)


def a_pool(layout: str, node: str, gpu: str, **rollout: str) -> dict[str, Any]:
    return {"gpu": gpu, "gpusPerNode": 2, "nodes": [node], "layout": layout, "rollout": {"timeout": "5m", **rollout}}


def log_of_mig_manager(fleet: Fleet, node: str) -> str:
    return "".join(log.read_text() for log in (fleet.directory / "nodes" / node / "logs").glob("nvidia-mig-manager-*"))


def test_nvidias_mig_manager_partitions_the_fleet_heals_drift_and_fails_as_on_hardware(project: Deployment) -> None:
    fleet = project.fleet
    first = project.up()
    assert first.status == 0, first.text
    assert project.reported_slices(HOPPER) == {"0-1": "7x 1g.10gb"}
    assert project.reported_slices(AMPERE) == {"0-1": "2x 3g.40gb"}
    assert 'level=info msg="Successfully updated to MIG config: inference-' in log_of_mig_manager(fleet, HOPPER)
    shown = json.loads(simulate(fleet, "status", "--json"))
    assert shown["genuine"] is True
    assert {node["name"]: (node["state"], node["gpus"]) for node in shown["nodes"]} == {
        HOPPER: ("success", [{"1g.10gb": 7}] * 2),
        AMPERE: ("success", [{"3g.40gb": 2}] * 2),
    }

    simulate(fleet, "destroy-slice", HOPPER, "--gpu", "0", "--start", "3")
    project.wait_for_report(HOPPER, {"0": "6x 1g.10gb", "1": "7x 1g.10gb"})
    drift = project.preview("--diff")
    assert f"slice missing: {HOPPER}: GPU 0: expected 7x 1g.10gb, found 6x 1g.10gb" in drift, drift.text
    healed = project.up()
    assert healed.status == 0, healed.text
    assert project.reported_slices(HOPPER) == {"0-1": "7x 1g.10gb"}
    unchanged = project.preview("--expect-no-changes")
    assert unchanged.status == 0, unchanged.text

    project.layouts["inference"]["all"] = {"3g.40gb": 1, "2g.20gb": 1, "1g.10gb": 2}
    project.layouts["training"]["all"] = {"2g.20gb": 3}
    with fleet.driver_file(AMPERE).change() as driver:
        driver.gpus[0].clients.append(Client("a process without a pod", None))
    failed = project.up("--continue-on-error")
    assert failed.status != 0
    assert project.reported_slices(HOPPER) == {"0-1": "3g.40gb + 2g.20gb + 2x 1g.10gb"}, failed.text
    assert project.reported_slices(AMPERE) == {"0-1": "2x 3g.40gb"}, failed.text
    assert "error: 1 of 1 nodes of training-wave-0 are not as the stack declares:" in failed.diagnostics, failed.text
    assert f"MIG Manager failed: {AMPERE}: could not apply 'training-" in failed.diagnostics, failed.text
    assert f"{AMPERE}: restored the paused operands" in failed, "MIG Manager leaves them paused after its first success"
    assert "ERROR_IN_USE" in log_of_mig_manager(fleet, AMPERE)
    with fleet.driver_file(AMPERE).change() as driver:
        driver.gpus[0].clients.clear()
    repaired = project.up()
    assert repaired.status == 0, repaired.text
    assert project.reported_slices(AMPERE) == {"0-1": "3x 2g.20gb"}

    destroyed = project.destroy()
    assert destroyed.status == 0, destroyed.text
    assert [gpu.mode for gpu in fleet.driver(HOPPER).gpus] == [False, False]
    assert [dict(gpu.counts()) for gpu in fleet.driver(AMPERE).gpus] == [{"2g.20gb": 3}] * 2
    assert what_is_left(project) == []


def what_is_left(project: Deployment) -> list[str]:
    """Of ours in the cluster: taints and annotations of nodes, and namespaces."""
    found = []
    for name, node in project.nodes().items():
        keys = [taint["key"] for taint in node["spec"].get("taints") or []]
        keys += node["metadata"].get("annotations") or {}
        found += [f"{name}: {key}" for key in keys if "mig-fleet" in key]
    namespaces = project.cluster.get("/api/v1/namespaces")["items"]
    return found + [
        it["metadata"]["name"] for it in namespaces if it["metadata"]["name"] in ("mig-fleet", "gpu-operator")
    ]
