"""Pods that a change takes slices from, on the real engine, the real scheduler and the real Eviction API.

The rules of Prometheus change before the nodes: they know the config of a node that waits, and its next one.
"""

from typing import Any

import pytest

from mig_fleet.model import labels
from mig_fleet.simulator.api import Json
from mig_fleet.simulator.polling import wait_until
from tests.engine.deployment import Deployment

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

NODE, SLICE = "gpu-node-1", "nvidia.com/mig-1g.10gb"


def change_layout(deployment: Deployment, **rollout: Any) -> None:
    """The node's layout no longer offers what its pods request. Only the node carries the old config."""
    deployment.layouts.pop("inference-dense", None)
    deployment.layouts["inference-wide"] = {"gpu": "H100-80GB", "all": {"2g.20gb": 3}}
    deployment.pools["inference"] |= {"layout": "inference-wide", "rollout": {"timeout": "5m", **rollout}}


def config_of(deployment: Deployment) -> str:
    """The config that was verified last on the node."""
    annotations: dict[str, str] = deployment.nodes()[NODE]["metadata"]["annotations"]
    return annotations[labels.VERIFIED_CONFIG]


def pods(deployment: Deployment, name: str) -> dict[str, Json]:
    return {pod["metadata"]["name"]: pod for pod in deployment.fleet.user_pods.pods_of(name)}


def cordon(deployment: Deployment, *nodes: str, cordoned: bool = True) -> None:
    for node in nodes:
        deployment.fleet.call("patch", f"/api/v1/nodes/{node}", {"spec": {"unschedulable": cordoned or None}})


def test_a_pod_that_would_find_no_slice_is_evicted_only_if_the_stack_allows_it_and_the_rules_know_both_configs(
    deployed: Deployment,
) -> None:
    deployed.prune()
    fleet, old = deployed.fleet, config_of(deployed)
    pod = fleet.run_pod(NODE, {SLICE: 1}, name="web", owner="Deployment")
    held = f"default/{pod} (Deployment web) holds 1x mig-1g.10gb"
    stranded = f"default/{pod} (Deployment web) runs on {NODE} and requests mig-1g.10gb"
    reason = "0/4 nodes fit: 2 not matching its node selector, 2 without mig-1g.10gb"
    try:
        change_layout(deployed, onUserPods="evict")
        seen = deployed.preview("--diff")
        assert seen.status == 0, seen.text
        for text in (
            f"{NODE}: GPU 0-7: 7x 1g.10gb → 3x 2g.20gb",
            f"{NODE}: {held}",
            stranded,
            reason,
            "inference-wave-0 will be refused (onStrandedPods: refuse)",
            "nvidia.com/mig-1g.10gb: 56 → 0",
            "nvidia.com/mig-2g.20gb: 0 → 24",
            "ConfigMap gpu-operator/mig-fleet-rules is declared otherwise",
        ):
            assert text in seen, seen.text
        before = pods(deployed, "web")
        in_use = (f"node '{NODE}' is in use: {held}",)
        would_wait = ("1 pod would find no slice", stranded, reason, "onStrandedPods: warn")
        for rollout, flags, texts in (
            ({}, (), in_use),
            ({"onUserPods": "evict"}, ("--continue-on-error",), would_wait),
        ):
            change_layout(deployed, **rollout)
            refused = deployed.up(*flags)
            assert refused.status != 0, refused.text
            for text in ("nothing was changed:", *texts):
                assert text in refused.diagnostics, refused.text
            assert "Traceback" not in refused, refused.text
            assert "deleted" not in refused, "what is not registered after a failure must not be deleted"
            now = pods(deployed, "web")
            assert {name: it["metadata"]["uid"] for name, it in now.items()} == {pod: before[pod]["metadata"]["uid"]}
            assert labels.TAINT not in str(deployed.nodes()[NODE]["spec"])
            assert config_of(deployed) == old, "the node waits"
            assert old in deployed.known_configs()
            assert any(config.startswith("inference-wide-") for config in deployed.known_configs())
        change_layout(deployed, onUserPods="evict", onStrandedPods="warn")
        changed = deployed.up()
        assert changed.status == 0, changed.text
        assert deployed.reported_slices(NODE) == {"0-7": "3x 2g.20gb"}
        (pending,) = [name for name in pods(deployed, "web") if name != pod]
        assert f"1 pod is Pending since this change: default/{pending} (Deployment web)" in changed, changed.text
        assert f"kubectl -n default describe pod {pending}" in changed, changed.text
    finally:
        fleet.user_pods.clear()
    new = config_of(deployed)
    assert new.startswith("inference-wide-")
    assert {old, new} <= deployed.known_configs()
    pruned = deployed.up()
    assert pruned.status == 0, pruned.text
    assert old not in deployed.known_configs() and new in deployed.known_configs()
    unchanged = deployed.preview("--expect-no-changes")
    assert unchanged.status == 0, unchanged.text


def test_a_deployment_that_finds_a_free_slice_on_another_node_is_moved_there(deployed: Deployment) -> None:
    fleet = deployed.fleet
    others = [name for name in deployed.nodes() if name != NODE]
    cordon(deployed, *others)
    try:
        pod = fleet.run_pod(None, {SLICE: 1}, name="api", owner="Deployment")
        cordon(deployed, *others, cordoned=False)
        assert pods(deployed, "api")[pod]["spec"]["nodeName"] == NODE
        change_layout(deployed, onUserPods="evict")
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
