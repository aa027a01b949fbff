"""A change of a running fleet on the real engine: wave by wave, with users' pods on the nodes, and with faults."""

import signal
from typing import Any

import pytest

from mig_fleet.model import labels
from mig_fleet.simulator import Fault
from mig_fleet.simulator.driver import Client
from tests.engine.deployment import Deployment, baseline, deploy

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

NEW_PROFILES = {"2g.20gb": 3}
CANARY, SECOND, THIRD = "gpu-node-1", "gpu-node-2", "gpu-node-3"


@pytest.fixture
def three_nodes(project: Deployment) -> Deployment:
    """Three nodes in one pool, changed one at a time; each GPU has seven slices."""
    config = baseline(project.fleet)
    for name in ("mixed", "whole"):
        del config["pools"][name]
    config["pools"]["inference"] |= {"nodes": [CANARY, SECOND, THIRD], "rollout": rollout()}
    return deploy(project, config)


def rollout(**changes: Any) -> dict[str, Any]:
    return {"canary": 1, "maxUnavailable": 1, "timeout": "60s", **changes}


def change_layout(deployment: Deployment, **changes: Any) -> None:
    deployment.layouts["inference-dense"] = {"gpu": "H100-80GB", "all": NEW_PROFILES}
    deployment.pools["inference"]["rollout"] = rollout(**changes)


def isolated(deployment: Deployment) -> list[str]:
    """The nodes that have our taint."""
    return sorted(
        name
        for name, node in deployment.nodes().items()
        if any(taint["key"] == labels.TAINT for taint in node["spec"].get("taints") or [])
    )


def test_a_canary_that_fails_stops_its_pool_and_not_the_others(three_nodes: Deployment) -> None:
    before = three_nodes.config_and_state()
    change_layout(three_nodes)
    three_nodes.layouts["training-and-inference"]["gpus"][0]["profiles"] = {"7g.80gb": 1}
    three_nodes.fleet.inject(CANARY, Fault.MANAGER_FAILS)
    failed = three_nodes.run("up", "--yes", "--skip-preview", "--continue-on-error")
    assert failed.status != 0
    after = three_nodes.config_and_state()
    assert {name: after[name] for name in (SECOND, THIRD)} == {name: before[name] for name in (SECOND, THIRD)}
    assert three_nodes.reported_slices("gpu-node-4") == {"0-1": "7g.80gb", "2-3": "7x 1g.10gb"}
    assert isolated(three_nodes) == [CANARY]
    assert f"kubectl taint nodes {CANARY} {labels.TAINT}-" in failed.diagnostics, failed.text
    assert "Traceback" not in failed, failed.text
    three_nodes.fleet.clear_faults(CANARY)
    repaired = three_nodes.up()
    assert repaired.status == 0, repaired.text
    assert isolated(three_nodes) == []
    assert {three_nodes.reported_slices(name)["0-7"] for name in (CANARY, SECOND, THIRD)} == {"3x 2g.20gb"}


def test_a_preview_lists_the_affected_pods_and_an_update_evicts_them_only_if_the_stack_allows_it(
    three_nodes: Deployment,
) -> None:
    fleet = three_nodes.fleet
    pod = fleet.run_pod(CANARY, {"nvidia.com/mig-1g.10gb": 1}, name="web", owner="Deployment")
    try:
        change_layout(three_nodes)
        seen = three_nodes.preview("--diff")
        assert seen.status == 0, seen.text
        for line in (
            f"{CANARY}: GPU 0-7: 7x 1g.10gb → 3x 2g.20gb",
            f"{CANARY}: default/{pod} (Deployment web) holds 1x mig-1g.10gb",
            f"default/{pod} (Deployment web) runs on {CANARY} and requests mig-1g.10gb",
            "nvidia.com/mig-1g.10gb: 56 → 0",
            "nvidia.com/mig-2g.20gb: 0 → 24",
        ):
            assert line in seen, seen.text
        refused = three_nodes.up()
        assert refused.status != 0
        assert "nothing was changed:" in refused, refused.text
        assert f"node '{CANARY}' is in use: default/{pod} (Deployment web) holds 1x mig-1g.10gb" in refused
        assert isolated(three_nodes) == []
        change_layout(three_nodes, onUserPods="evict", onStrandedPods="warn")
        moved = three_nodes.up()
        assert moved.status == 0, moved.text
        assert pod not in {found["metadata"]["name"] for found in fleet.user_pods.pods_of("web")}
        assert {three_nodes.reported_slices(name)["0-7"] for name in (CANARY, SECOND, THIRD)} == {"3x 2g.20gb"}
    finally:
        fleet.user_pods.clear()


def test_a_wave_that_fails_is_rolled_back_and_the_next_update_tries_again(three_nodes: Deployment) -> None:
    before = three_nodes.config_and_state()
    change_layout(three_nodes, onFailure="rollback", recovery=False)
    with three_nodes.fleet.driver_file(THIRD).change() as driver:
        driver.gpus[0].clients.append(Client("a process without a pod", None))
    failed = three_nodes.up()
    assert failed.status != 0
    assert f"MIG Manager failed: {THIRD}: could not apply" in failed.diagnostics, failed.text
    rolled_back = f"rolled back to '{before[THIRD][0]}' and verified; scheduling restored: {THIRD}"
    assert rolled_back in failed.diagnostics, failed.text
    assert three_nodes.reported_slices(CANARY) == {"0-7": "3x 2g.20gb"}, "a verified wave keeps its layout"
    assert three_nodes.reported_slices(THIRD) == {"0-7": "7x 1g.10gb"}
    after = three_nodes.config_and_state()
    assert (after[SECOND], after[THIRD]) == (before[SECOND], before[THIRD])
    assert isolated(three_nodes) == []
    with three_nodes.fleet.driver_file(THIRD).change() as driver:
        driver.gpus[0].clients.clear()
    again = three_nodes.up()
    assert again.status == 0, again.text
    assert {three_nodes.reported_slices(name)["0-7"] for name in (CANARY, SECOND, THIRD)} == {"3x 2g.20gb"}


@pytest.mark.parametrize(
    "signals", [[signal.SIGINT], [signal.SIGINT, signal.SIGINT], [signal.SIGKILL]], ids=["once", "twice", "killed"]
)
def test_the_next_update_completes_one_that_was_interrupted_in_a_wave(
    three_nodes: Deployment, signals: list[signal.Signals]
) -> None:
    three_nodes.fleet.inject(CANARY, Fault.MANAGER_SLOW)
    change_layout(three_nodes)
    three_nodes.interrupt_up(lambda: isolated(three_nodes) == [CANARY], signals)
    three_nodes.fleet.clear_faults(CANARY)
    repaired = three_nodes.up()
    assert repaired.status == 0, repaired.text
    assert isolated(three_nodes) == []
    assert {three_nodes.reported_slices(name)["0-7"] for name in (CANARY, SECOND, THIRD)} == {"3x 2g.20gb"}
    unchanged = three_nodes.up()
    assert unchanged.status == 0, unchanged.text
    assert three_nodes.preview("--expect-no-changes").status == 0


def test_a_rollout_may_take_several_updates(three_nodes: Deployment) -> None:
    change_layout(three_nodes, maxWavesPerUpdate=1)
    three_nodes.fleet.run_pod(CANARY, {"nvidia.com/mig-1g.10gb": 1}, name="web", owner="Deployment")
    try:
        seen = three_nodes.preview("--diff")
    finally:
        three_nodes.fleet.user_pods.clear()
    assert "(Deployment web) holds 1x mig-1g.10gb" in seen, seen.text
    offered = "0/4 nodes fit: 3 not matching its node selector, 1 without mig-1g.10gb"
    assert offered in seen, f"the waiting waves still offer it: {seen.text}"
    for done, waiting in ((1, "wave-010, wave-011"), (2, "wave-011")):
        outcome = three_nodes.up()
        assert outcome.status == 0, outcome.text
        assert f"{3 - done} of 3 waves wait for a later update: {waiting}" in outcome, outcome.text
        assert [three_nodes.reported_slices(n)["0-7"] for n in (CANARY, THIRD, SECOND)].count("3x 2g.20gb") == done
    assert three_nodes.up().status == 0
    assert {three_nodes.reported_slices(name)["0-7"] for name in (CANARY, SECOND, THIRD)} == {"3x 2g.20gb"}
    assert three_nodes.up().status == 0, "removes the old layout from MIG Manager's file"
    unchanged = three_nodes.preview("--expect-no-changes")
    assert unchanged.status == 0, unchanged.text


def test_a_renamed_pool_and_a_node_that_changes_pools_are_not_reconfigured(three_nodes: Deployment) -> None:
    before = three_nodes.attempts()
    serving = three_nodes.pools["serving"] = three_nodes.pools.pop("inference")
    renamed = three_nodes.up()
    assert renamed.status == 0, renamed.text
    three_nodes.pools["batch"] = {**serving, "nodes": [SECOND]}
    serving["nodes"] = [CANARY, THIRD]
    moved = three_nodes.up()
    assert moved.status == 0, moved.text
    assert three_nodes.attempts() == before, "a node that has its config was written to"


def test_a_node_that_joins_is_selected_by_its_labels_untainted_when_verified_and_changes_no_other(
    three_nodes: Deployment,
) -> None:
    fleet, before = three_nodes.fleet, three_nodes.attempts()
    fleet.call("create", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", NODE_FEATURE_RULES)
    fleet.join_node({"name": "gpu-node-5", "gpu": "H100-80GB", "gpus": 8})
    try:
        taint = {"key": labels.STARTUP_TAINT, "value": "true", "effect": "NoSchedule"}
        fleet.call("patch", "/api/v1/nodes/gpu-node-5", {"spec": {"taints": [taint]}})
        del three_nodes.pools["inference"]["nodes"]
        three_nodes.pools["inference"]["selector"] = {
            "matchLabels": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}
        }
        outcome = three_nodes.up()
        assert outcome.status == 0, outcome.text
        assert three_nodes.reported_slices("gpu-node-5") == {"0-7": "7x 1g.10gb"}
        assert not three_nodes.nodes()["gpu-node-5"]["spec"].get("taints"), "a verified node has no taint"
        assert {n: a for n, a in three_nodes.attempts().items() if n in before} == before
        rule = fleet.call("get", "/apis/nfd.k8s-sigs.io/v1alpha1/nodefeaturerules/mig-fleet-gpu-models")
        assert rule["spec"]["rules"][0]["labels"] == {labels.MODEL: "H100-80GB"}
    finally:
        fleet.remove_node("gpu-node-5")


NODE_FEATURE_RULES = {
    "metadata": {"name": "nodefeaturerules.nfd.k8s-sigs.io"},
    "spec": {
        "group": "nfd.k8s-sigs.io",
        "scope": "Cluster",
        "names": {"kind": "NodeFeatureRule", "plural": "nodefeaturerules"},
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}
"""Node Feature Discovery's custom resource definition, reduced to what the API server requires."""
