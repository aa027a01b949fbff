"""A simulated fleet with NVIDIA's own DRA driver: its ResourceSlices, and a pod that gets a slice from them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mig_fleet.observed.dra.objects import RESOURCE_SLICES
from mig_fleet.simulator import Fleet
from mig_fleet.simulator.dra_driver import NAME, NAMESPACE
from mig_fleet.simulator.polling import wait_until
from tests.own_fleet import own_fleet_in

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(1800), pytest.mark.xdist_group("dra")]

NODE = {"name": "n1", "gpu": "H100-80GB", "gpus": 2, "labels": {"nvidia.com/gpu.present": "true"}}


@pytest.fixture
def fleet(namespaces: None, programs: Path, tmp_path: Path) -> Iterator[Fleet]:
    text = json.dumps({"probe": "inProcess", "allocation": "dra", "nodes": [NODE]})
    with own_fleet_in(tmp_path, programs, text, genuine=True) as fleet:
        yield fleet


def published(fleet: Fleet) -> list[str]:
    """The devices that NVIDIA's program has published, under its own field manager."""
    items: list[dict[str, Any]] = fleet.call("get", RESOURCE_SLICES)["items"]
    assert {entry["manager"] for item in items for entry in item["metadata"]["managedFields"]} <= {"gpu-kubelet-plugin"}
    return sorted(device["name"] for item in items for device in item["spec"].get("devices") or [])


def test_a_fleet_runs_nvidias_driver_and_the_scheduler_gives_a_pod_its_slice(fleet: Fleet) -> None:
    wait_until(lambda: published(fleet) == ["gpu-0", "gpu-1"], "whole GPUs are published")
    with fleet.driver_file("n1").change() as driver:
        driver.gpus[0].set_mode(True)
        driver.gpus[0].create("3g.40gb")
    fleet.restart_daemon_set(NAMESPACE, NAME)
    wait_until(lambda: published(fleet) == ["gpu-0-mig-3g40gb-9-4", "gpu-1"], "the slice is published")
    fleet.run_pod("n1", {}, claims={"3g.40gb": 1})
    (client,) = fleet.driver("n1").gpus[0].clients
    assert (client.name, client.instance) == ("default/training", fleet.driver("n1").gpus[0].instances[0].id)
