"""Pods that would find no slice after a change, on the real engine, the real scheduler and the real Eviction API."""

from typing import Any

import pytest

from mig_fleet.model import labels
from mig_fleet.simulator.api import Json
from mig_fleet.simulator.polling import wait_until
from tests.engine.deployment import Deployment

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

NODE, SLICE = "gpu-node-1", "nvidia.com/mig-1g.10gb"


def change_layout(deployment: Deployment, **rollout: Any) -> None:
    """The node's layout no longer offers what its pods request."""
    deployment.layouts["inference-dense"] = {"gpu": "H100-80GB", "all": {"2g.20gb": 3}}
    deployment.pools["inference"]["rollout"] = {"timeout": "60s", "onUserPods": "evict", **rollout}


def pods(deployment: Deployment, name: str) -> dict[str, Json]:
    return {pod["metadata"]["name"]: pod for pod in deployment.fleet.user_pods.pods_of(name)}


def cordon(deployment: Deployment, *nodes: str, cordoned: bool = True) -> None:
    for node in nodes:
        deployment.fleet.call("patch", f"/api/v1/nodes/{node}", {"spec": {"unschedulable": cordoned or None}})


def test_a_deployment_that_would_find_no_slice_is_evicted_only_if_the_stack_allows_it(deployed: Deployment) -> None:
    fleet = deployed.fleet
    pod = fleet.run_pod(NODE, {SLICE: 1}, name="web", owner="Deployment")
    try:
        change_layout(deployed)
        stranded = f"default/{pod} (Deployment web) runs on {NODE} and requests mig-1g.10gb"
        reason = "0/4 nodes fit: 2 not matching its node selector, 2 without mig-1g.10gb"
        seen = deployed.preview("--diff")
        assert seen.status == 0, seen.text
        for text in (stranded, reason, "inference-wave-0 will be refused (onStrandedPods: refuse)"):
            assert text in seen, seen.text
        before = pods(deployed, "web")
        refused = deployed.up()
        assert refused.status != 0
        for text in ("nothing was changed:", "1 pod would find no slice", stranded, reason, "onStrandedPods: warn"):
            assert text in refused.diagnostics, refused.text
        now = pods(deployed, "web")
        assert {name: it["metadata"]["uid"] for name, it in now.items()} == {pod: before[pod]["metadata"]["uid"]}
        assert labels.TAINT not in str(deployed.nodes()[NODE]["spec"])
        change_layout(deployed, onStrandedPods="warn")
        changed = deployed.up()
        assert changed.status == 0, changed.text
        assert deployed.reported_slices(NODE) == {"0-7": "3x 2g.20gb"}
        (pending,) = [name for name in pods(deployed, "web") if name != pod]
        assert f"1 pod is Pending since this change: default/{pending} (Deployment web)" in changed, changed.text
        assert f"kubectl -n default describe pod {pending}" in changed, changed.text
    finally:
        fleet.user_pods.clear()


def test_a_deployment_that_finds_a_free_slice_on_another_node_is_moved_there(deployed: Deployment) -> None:
    fleet = deployed.fleet
    others = [name for name in deployed.nodes() if name != NODE]
    cordon(deployed, *others)
    try:
        pod = fleet.run_pod(None, {SLICE: 1}, name="api", owner="Deployment")
        cordon(deployed, *others, cordoned=False)
        assert pods(deployed, "api")[pod]["spec"]["nodeName"] == NODE
        change_layout(deployed)
        changed = deployed.up()
        assert changed.status == 0, changed.text
        assert "would find no slice" not in changed and "Pending since" not in changed, changed.text
        assert deployed.reported_slices(NODE) == {"0-7": "3x 2g.20gb"}
        wait_until(lambda: runs_elsewhere(deployed), "the pod runs on another node")
    finally:
        cordon(deployed, *others, cordoned=False)
        fleet.user_pods.clear()


def runs_elsewhere(deployment: Deployment) -> bool:
    """Whether the Deployment's only pod runs, and not on the node that was changed."""
    found = list(pods(deployment, "api").values())
    running = [it["spec"].get("nodeName") for it in found if it["status"]["phase"] == "Running"]
    return len(found) == 1 and len(running) == 1 and running[0] != NODE
