"""A stack whose slices pods claim, on the real engine: NVIDIA's DRA driver publishes them, the real scheduler allocates
them by our DeviceClasses, and each change ends with the driver's new publication.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mig_fleet.model.allocated_by import device_class
from mig_fleet.observed.snapshot import observe
from mig_fleet.simulator import Fleet
from mig_fleet.simulator.polling import wait_until
from tests.engine.deployment import ROOT, Deployment, baseline, create_project
from tests.engine.observed_cluster import REPORTS

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

NODES, TEAM = ["n1", "n2"], "team-a"
PAGE = (ROOT / "docs/how-to/claim-slices.md").read_text("utf-8")
FILE = {
    "allocation": "dra",
    "nodes": [
        {"name": name, "gpu": "H100-80GB", "gpus": 2, "labels": {"nvidia.com/gpu.present": "true"}} for name in NODES
    ],
}
DENSE = {"gpu": "H100-80GB", "all": {"1g.10gb": 7}}
ONE_GPU_DIFFERS = {
    "gpu": "H100-80GB",
    "gpus": [{"devices": [0], "profiles": {"1g.10gb": 7}}, {"devices": [1], "profiles": {"3g.40gb": 2}}],
}
SLICE, WIDE = device_class("1g.10gb"), device_class("3g.40gb")


@pytest.fixture(scope="module")
def project(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("dra")
    (folder / "file.yaml").write_text(json.dumps(FILE))
    fleet = Fleet(folder / "fleet")
    fleet.up(binaries, folder / "file.yaml", attached=True)
    (folder / "project").mkdir()
    fleet.call("create", "/api/v1/namespaces", {"metadata": {"name": TEAM}})
    config = baseline(fleet)
    config["operator"] |= {"allocation": "dra", "claimTemplates": [TEAM]}
    config["layouts"] = {"dense": DENSE, "one-gpu-differs": ONE_GPU_DIFFERS}
    rollout = {"timeout": "5m", "maxUnavailable": 2, "onUserPods": "refuse"}
    config["pools"] = {
        "a": {"gpu": "H100-80GB", "gpusPerNode": 2, "nodes": NODES, "layout": "dense", "rollout": rollout}
    }
    config.pop("prices", None)
    yield create_project(folder / "project", fleet, config)
    fleet.down()


@pytest.fixture
def deployed(project: Deployment) -> Iterator[Deployment]:
    """Every GPU has seven slices."""
    project.pools["a"]["layout"] = "dense"
    outcome = project.up()
    assert outcome.status == 0, outcome.text
    yield project
    project.fleet.user_pods.clear()


def published(deployment: Deployment, node: str) -> list[str]:
    """The profiles of the node's published devices."""
    seen = observe({"kubeconfig": str(deployment.fleet.kubeconfig)}, REPORTS, fresh=True, dra=True)
    publication = seen.nodes[node].published
    assert publication is not None
    return sorted(device.profile or "whole GPU" for device in publication.devices)


def pod(deployment: Deployment, name: str) -> dict[str, Any]:
    (found,) = deployment.fleet.user_pods.pods_of(name)
    return found


def test_an_update_publishes_every_slice_by_its_class_and_a_preview_finds_nothing_to_do(deployed: Deployment) -> None:
    assert published(deployed, "n1") == ["1g.10gb"] * 14
    assert deployed.outputs()["capacity"] == {SLICE: 28}
    node = deployed.nodes()["n1"]
    assert not node["spec"].get("unschedulable"), "scheduling is restored"
    assert not any(n != "0" for key, n in node["status"]["allocatable"].items() if key.startswith("nvidia.com/"))
    preview = deployed.preview("--expect-no-changes")
    assert preview.status == 0, preview.text


def test_a_pod_claims_a_slice_by_our_class_and_is_not_moved_without_permission(deployed: Deployment) -> None:
    name = deployed.fleet.run_pod("n1", {}, claims={"1g.10gb": 1}, device_class=SLICE, name="web")
    uid = pod(deployed, "web")["metadata"]["uid"]
    deployed.layouts["wide"] = {"gpu": "H100-80GB", "all": {"3g.40gb": 2}}
    deployed.pools["a"]["layout"] = "wide"
    preview = deployed.preview("--diff")
    assert f"default/{name} (no owner) holds 1x mig-1g.10gb" in preview
    refused = deployed.up()
    assert refused.status != 0
    assert "node 'n1' is in use: default/web (no owner) holds 1x mig-1g.10gb" in refused
    assert pod(deployed, "web")["metadata"]["uid"] == uid
    assert published(deployed, "n1") == ["1g.10gb"] * 14


def test_a_change_of_one_gpu_keeps_the_pods_on_the_other_and_offers_the_new_slices(deployed: Deployment) -> None:
    deployed.fleet.run_pod("n1", {}, claims={"1g.10gb": 7}, device_class=SLICE, name="busy")
    uid = pod(deployed, "busy")["metadata"]["uid"]
    devices = [device for it in allocations(deployed) for device in it["devices"]]
    assert {*map(gpu_of, devices)} == {"gpu-0"}, "the scheduler takes the devices of a claim in their order"
    deployed.pools["a"]["layout"] = "one-gpu-differs"
    outcome = deployed.up()
    assert outcome.status == 0, outcome.text
    assert "restarted the DRA driver's plugin" in outcome
    assert pod(deployed, "busy")["metadata"]["uid"] == uid
    assert published(deployed, "n1") == ["1g.10gb"] * 7 + ["3g.40gb"] * 2
    deployed.fleet.run_pod("n1", {}, claims={"3g.40gb": 1}, device_class=WIDE, name="training")


def allocations(deployment: Deployment) -> list[dict[str, Any]]:
    """The namespace and the devices of each allocated claim."""
    claims = deployment.cluster.get("/apis/resource.k8s.io/v1/resourceclaims")["items"]
    return [
        {
            "namespace": claim["metadata"]["namespace"],
            "devices": [each["device"] for each in found["devices"]["results"]],
        }
        for claim in claims
        if (found := (claim.get("status") or {}).get("allocation"))
    ]


def phases(deployment: Deployment) -> list[str]:
    """Of the pods of the page's namespace."""
    pods = deployment.fleet.call("get", f"/api/v1/namespaces/{TEAM}/pods")["items"]
    return [pod["status"].get("phase", "") for pod in pods]


def gpu_of(device: str) -> str:
    return device.partition("-mig-")[0]


def test_stale_devices_are_drift_that_the_next_update_repairs(deployed: Deployment) -> None:
    with deployed.fleet.driver_file("n1").change() as driver:
        gpu = driver.gpus[1]
        gpu.clear()
        gpu.set_mode(True)
        for _ in range(7):
            gpu.create("1g.10gb")
    preview = deployed.wait_for_preview("published devices stale: n1: GPU 1: ", "--diff")
    assert "was created again since it was published: its UUID is another one" in preview
    outcome = deployed.up()
    assert outcome.status == 0, outcome.text
    assert "n1: restarted the DRA driver's plugin, because of: GPU 1: " in outcome


def test_the_pod_of_the_page_gets_a_slice_by_the_stacks_template_and_one_with_the_other_template_two_of_one_gpu(
    deployed: Deployment,
) -> None:
    fleet, pods = deployed.fleet, f"/api/v1/namespaces/{TEAM}/pods"
    blocks = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(apiVersion: .*?)```", PAGE, re.DOTALL)]
    notebook, template = blocks
    fleet.call("create", f"/apis/resource.k8s.io/v1/namespaces/{TEAM}/resourceclaimtemplates", template)
    claim = {"name": "slice", "resourceClaimTemplateName": template["metadata"]["name"]}
    both = {"metadata": {"name": "both"}, "spec": {**notebook["spec"], "resourceClaims": [claim]}}
    try:
        for body in (notebook, both):
            fleet.call("create", pods, body)
        wait_until(lambda: phases(deployed) == ["Running", "Running"], "both pods run")
        of_claims = [it for it in allocations(deployed) if it["namespace"] == TEAM]
        assert sorted(len(it["devices"]) for it in of_claims) == [1, 2]
        assert all(len({gpu_of(device) for device in it["devices"]}) == 1 for it in of_claims)
    finally:
        for name in ("notebook", "both"):
            fleet.call("delete", f"{pods}/{name}")


def test_a_destroy_removes_the_classes(deployed: Deployment) -> None:
    outcome = deployed.destroy()
    assert outcome.status == 0, outcome.text
    names = [it["metadata"]["name"] for it in deployed.cluster.get("/apis/resource.k8s.io/v1/deviceclasses")["items"]]
    assert SLICE not in names and "mig.nvidia.com" in names
