"""A fleet with DRA: NVIDIA's driver publishes devices once, the real scheduler hands them out, and pods keep them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mig_fleet.model.dra import DRIVER
from mig_fleet.simulator import Fault
from mig_fleet.simulator.dra_driver import NAME, NAMESPACE
from mig_fleet.simulator.operands.dra_plugin import RESOURCE_SLICES
from tests.own_fleet import own_fleet_in
from tests.simulator.site import Site

pytestmark = pytest.mark.engine

NODE = "n1"
FLEET = {
    "probe": "inProcess",
    "allocation": "dra",
    "timing": {"resourceSlicesKept": 10},
    "nodes": [{"name": NODE, "gpu": "H100-80GB", "gpus": 2, "labels": {"nvidia.com/gpu.present": "true"}}],
}


@pytest.fixture(scope="module")
def dra(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with own_fleet_in(tmp_path_factory.mktemp("dra"), binaries, json.dumps(FLEET)) as fleet:
        yield Site(fleet)


@pytest.fixture
def users(dra: Site) -> Iterator[Site]:
    """GPU 0 with two 1g.10gb, GPU 1 without MIG, and a plugin that has seen it."""
    partition(dra, "1g.10gb", "1g.10gb")
    restart(dra, "gpu-0-mig-1g10gb-19-5", "gpu-0-mig-1g10gb-19-6", "gpu-1")
    yield dra
    dra.fleet.user_pods.clear()


def partition(site: Site, *profiles: str, slices: int | None = None) -> None:
    with site.fleet.driver_file(NODE).change() as driver:
        driver.gpus[0].clear()
        driver.gpus[0].set_mode(True)
        for profile in profiles:
            driver.gpus[0].create(profile, slices)


def published(site: Site) -> list[str] | None:
    """The names of the node's devices; None without a ResourceSlice."""
    items: list[dict[str, Any]] = site.fleet.call("get", RESOURCE_SLICES)["items"]
    names = [device["name"] for item in items for device in item["spec"].get("devices") or []]
    return sorted(names) if items else None


def plugins(site: Site) -> list[dict[str, Any]]:
    """The pods of the driver, without those that are being deleted."""
    items: list[dict[str, Any]] = site.fleet.call("get", f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]
    return [pod for pod in items if "deletionTimestamp" not in pod["metadata"]]


def start_again(site: Site) -> None:
    """Replace the driver's pod; returns when the new one has read the GPUs."""
    before = {pod["metadata"]["name"] for pod in plugins(site)}
    site.fleet.restart_daemon_set(NAMESPACE, NAME)

    def has_started() -> bool:
        names = [pod["metadata"]["name"] for pod in plugins(site) if pod["status"]["phase"] == "Running"]
        return any(name not in before and site.fleet.pod_log(NAMESPACE, name) for name in names)

    site.eventually(has_started, "the new plugin runs")


def restart(site: Site, *expected: str) -> None:
    start_again(site)
    site.eventually(lambda: published(site) == sorted(expected), f"{expected} are published")


def clients(site: Site) -> list[tuple[int, int | None]]:
    """GPU and GPU instance of each client of the driver."""
    return [(gpu.index, it.instance) for gpu in site.fleet.driver(NODE).gpus for it in gpu.clients]


def waiting(site: Site, name: str) -> str:
    (pod,) = site.fleet.user_pods.pods_of(name)
    state = (pod["status"].get("containerStatuses") or [{}])[0].get("state", {})
    return str(state.get("waiting", {}).get("message", ""))


def test_a_pod_gets_the_devices_of_its_claims_until_it_ends(users: Site) -> None:
    users.fleet.run_pod(NODE, {}, claims={"1g.10gb": 1, "gpu": 1})
    assert sorted(gpu for gpu, _ in clients(users)) == [0, 1]
    (claim,) = users.fleet.call("get", "/apis/resource.k8s.io/v1/resourceclaims")["items"]
    devices = [result["device"] for result in claim["status"]["allocation"]["devices"]["results"]]
    assert len(devices) == 2 and "gpu-1" in devices
    assert claim["status"]["reservedFor"][0]["name"] == "training"
    users.fleet.user_pods.clear()
    assert clients(users) == []


def test_a_request_of_whole_gpus_is_a_claim_that_the_scheduler_makes(users: Site) -> None:
    users.fleet.run_pod(NODE, {"nvidia.com/gpu": 1})
    assert clients(users) == [(1, None)]


def test_a_device_is_not_given_to_two_pods(users: Site) -> None:
    users.fleet.run_pod(NODE, {}, name="first", claims={"1g.10gb": 2})
    users.fleet.run_pod(NODE, {}, name="second", claims={"1g.10gb": 1}, wait=False)
    (pod,) = users.fleet.user_pods.pods_of("second")
    users.eventually(
        lambda: "cannot allocate all claims" in json.dumps(users.fleet.user_pods.pods_of("second")), "it does not fit"
    )
    assert "nodeName" not in pod["spec"]
    users.fleet.call("delete", "/api/v1/namespaces/default/pods/first", {"gracePeriodSeconds": 0})
    users.eventually(lambda: clients(users) and clients(users)[0][0] == 0, "it gets the slice that is free now")


def test_slices_of_a_later_layout_are_not_published_before_the_plugin_restarts(users: Site) -> None:
    before = published(users)
    partition(users, "3g.40gb")
    users.fleet.run_pod(NODE, {}, name="stale", claims={"1g.10gb": 1}, wait=False)
    users.eventually(
        lambda: "the device does not exist" in waiting(users, "stale"), "it waits for a slice that is gone"
    )
    assert published(users) == before
    restart(users, "gpu-0-mig-3g40gb-9-4", "gpu-1")


def test_a_plugin_that_restarts_and_reads_nothing_new_leaves_the_old_slices(users: Site) -> None:
    before = published(users)
    partition(users, "7g.80gb")
    users.fleet.inject(NODE, Fault.PLUGIN_STALE)
    start_again(users)
    assert published(users) == before
    users.fleet.clear_faults(NODE)
    restart(users, "gpu-0-mig-7g80gb-0-0", "gpu-1")


def test_a_slice_in_parts_ends_the_plugin_and_the_kubelet_deletes_what_it_had_published(users: Site) -> None:
    partition(users, "3g.40gb", slices=1)
    start_again(users)
    users.eventually(lambda: published(users) is None, "nothing is published any more")
    logs = [users.fleet.pod_log(NAMESPACE, pod["metadata"]["name"]) for pod in plugins(users)]
    assert any("error getting profile info for MIG device" in log for log in logs)
    partition(users, "3g.40gb")
    users.eventually(lambda: published(users) == ["gpu-0-mig-3g40gb-9-4", "gpu-1"], "its next start publishes again")


def test_the_device_classes_are_those_of_nvidias_chart(dra: Site) -> None:
    found = {
        it["metadata"]["name"]: it["spec"]
        for it in dra.fleet.call("get", "/apis/resource.k8s.io/v1/deviceclasses")["items"]
    }
    assert sorted(found) == [DRIVER, "mig.nvidia.com", "vfio.gpu.nvidia.com"]
    assert [name for name, spec in found.items() if spec.get("extendedResourceName") == "nvidia.com/gpu"] == [DRIVER]
