"""A change of a running fleet on the real engine: wave by wave, with users' pods on the nodes, and with faults."""

from typing import Any

import pytest

from mig_fleet.model import labels
from mig_fleet.simulator import Fault
from mig_fleet.simulator.driver import Client
from mig_fleet.simulator.polling import wait_until
from tests.engine.deployment import Deployment, baseline, deploy
from tests.engine.two_layouts import change_layout, keep_layouts

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

CANARY, SECOND = "gpu-node-1", "gpu-node-2"
ROLLOUT = {"canary": 1, "maxUnavailable": 1, "timeout": "5m"}


@pytest.fixture
def two_nodes(project: Deployment) -> Deployment:
    """Two nodes in one pool, changed one after the other, with the layouts that the test before left on them."""
    config = baseline(project.fleet)
    del config["pools"]["mixed"]
    config["pools"]["inference"] |= {"nodes": [CANARY, SECOND], "rollout": ROLLOUT}
    keep_layouts(project, config, CANARY, SECOND)
    # Another `rollout` is no change of the cluster.
    is_left = project.is_as_updated(project.config) and nodes_by_pool(project.config) == nodes_by_pool(config)
    return project if is_left else deploy(project, config)


def nodes_by_pool(config: dict[str, Any]) -> dict[str, Any]:
    return {name: pool.get("nodes") for name, pool in config["pools"].items()}


def slices(deployment: Deployment) -> list[str]:
    """The slices of all GPUs of the canary and of the second node."""
    return [deployment.reported_slices(name)["0-7"] for name in (CANARY, SECOND)]


def isolated(deployment: Deployment) -> list[str]:
    """The nodes that have our taint."""
    return sorted(
        name
        for name, node in deployment.nodes().items()
        if any(taint["key"] == labels.TAINT for taint in node["spec"].get("taints") or [])
    )


def test_a_rollout_may_take_several_updates(two_nodes: Deployment) -> None:
    before, after = change_layout(two_nodes, **ROLLOUT, maxWavesPerUpdate=1)
    resource = f"mig-{before.split()[1]}"
    offer = [
        name
        for name, node in two_nodes.nodes().items()
        if int(node["status"]["allocatable"].get(f"nvidia.com/{resource}", 0))
    ]
    pod = two_nodes.fleet.run_pod(CANARY, {f"nvidia.com/{resource}": 1}, name="web", owner="Deployment")
    try:
        seen = two_nodes.preview("--diff")
    finally:
        two_nodes.fleet.user_pods.clear()
    assert f"{pod} (Deployment web) holds 1x {resource}" in seen, seen.text
    others = len(offer) - 1
    offered = f"0/4 nodes fit: {others} not matching its node selector, {4 - others} without {resource}"
    assert SECOND in offer and offered in seen, f"the waiting wave still offers it: {seen.text}"
    first = two_nodes.up()
    assert first.status == 0, first.text
    assert "1 of 2 waves wait for a later update: wave-0" in first, first.text
    assert slices(two_nodes) == [after, before]
    assert two_nodes.up().status == 0
    assert slices(two_nodes) == [after, after]
    assert two_nodes.up().status == 0, "removes the old layout from MIG Manager's file"
    unchanged = two_nodes.preview("--expect-no-changes")
    assert unchanged.status == 0, unchanged.text


def test_a_canary_that_fails_stops_its_pool_and_not_the_others(two_nodes: Deployment) -> None:
    before = two_nodes.config_and_state()
    _, new = change_layout(two_nodes, **ROLLOUT)
    two_nodes.layouts["training-and-inference"]["gpus"][0]["profiles"] = {"7g.80gb": 1}
    two_nodes.fleet.inject(CANARY, Fault.MANAGER_FAILS)
    failed = two_nodes.up("--continue-on-error")
    assert failed.status != 0
    assert two_nodes.config_and_state()[SECOND] == before[SECOND]
    assert two_nodes.reported_slices("gpu-node-4") == {"0-1": "7g.80gb", "2-3": "7x 1g.10gb"}
    assert isolated(two_nodes) == [CANARY]
    assert "error: 1 of 1 nodes of inference-canary are not as the stack declares:" in failed.diagnostics, failed.text
    assert f"MIG Manager failed: {CANARY}: could not apply" in failed.diagnostics, failed.text
    assert f"kubectl taint nodes {CANARY} {labels.TAINT}-" in failed.diagnostics, failed.text
    assert "Traceback" not in failed and 'File "' not in failed, failed.text
    two_nodes.fleet.clear_faults(CANARY)
    repaired = two_nodes.up()
    assert repaired.status == 0, repaired.text
    assert isolated(two_nodes) == []
    assert slices(two_nodes) == [new, new]


def test_a_wave_that_fails_is_rolled_back_and_the_next_update_tries_again(two_nodes: Deployment) -> None:
    before = two_nodes.config_and_state()
    old, new = change_layout(two_nodes, **ROLLOUT, onFailure="rollback", recovery=False)
    with two_nodes.fleet.driver_file(SECOND).change() as driver:
        driver.gpus[0].clients.append(Client("a process without a pod", None))
    failed = two_nodes.up()
    assert failed.status != 0
    assert f"MIG Manager failed: {SECOND}: could not apply" in failed.diagnostics, failed.text
    rolled_back = f"rolled back to '{before[SECOND][0]}' and verified; scheduling restored: {SECOND}"
    assert rolled_back in failed.diagnostics, failed.text
    assert slices(two_nodes) == [new, old], "a verified wave keeps its layout"
    assert two_nodes.config_and_state()[SECOND] == before[SECOND]
    assert isolated(two_nodes) == []
    with two_nodes.fleet.driver_file(SECOND).change() as driver:
        driver.gpus[0].clients.clear()
    again = two_nodes.up()
    assert again.status == 0, again.text
    assert slices(two_nodes) == [new, new]


def test_a_node_that_joins_is_selected_by_its_labels_untainted_when_verified_and_changes_no_other(
    two_nodes: Deployment,
) -> None:
    fleet, before, slices_of_a_gpu = two_nodes.fleet, two_nodes.attempts(), slices(two_nodes)[0]
    team = {"team": "inference"}
    for name in (CANARY, SECOND):
        fleet.call("patch", f"/api/v1/nodes/{name}", {"metadata": {"labels": team}})
    fleet.call("create", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", NODE_FEATURE_RULES)
    taint = {"key": labels.STARTUP_TAINT, "value": "true", "effect": "NoSchedule"}
    template = {**team, labels.CONFIG: "all-3g.40gb"}  # a name of NVIDIA that the layout file does not have
    fleet.join_node({"name": "gpu-node-5", "gpu": "H100-80GB", "gpus": 8, "labels": template, "taints": [taint]})
    try:
        wait_until(
            lambda: two_nodes.nodes()["gpu-node-5"]["metadata"]["labels"].get(labels.CAPABLE) == "true",
            "Node Feature Discovery and GPU Feature Discovery label a node that starts with the taint",
        )
        wait_until(
            lambda: two_nodes.config_and_state()["gpu-node-5"] == ("all-3g.40gb", "failed"),
            "MIG Manager cannot apply the config of the node's template",
        )
        del two_nodes.pools["inference"]["nodes"]
        two_nodes.pools["inference"]["selector"] = {"matchLabels": team}
        outcome = two_nodes.up()
        assert outcome.status == 0, outcome.text
        assert two_nodes.reported_slices("gpu-node-5") == {"0-7": slices_of_a_gpu}
        assert not two_nodes.nodes()["gpu-node-5"]["spec"].get("taints"), "a verified node has no taint"
        assert {n: a for n, a in two_nodes.attempts().items() if n in before} == before
        rule = fleet.call("get", "/apis/nfd.k8s-sigs.io/v1alpha1/nodefeaturerules/mig-fleet-gpu-models")
        assert rule["spec"]["rules"][0]["labels"] == {labels.MODEL: "H100-80GB"}
    finally:
        fleet.remove_node("gpu-node-5")


def test_a_renamed_pool_and_a_node_that_changes_pools_are_not_reconfigured(two_nodes: Deployment) -> None:
    before = two_nodes.attempts()
    serving = two_nodes.pools["serving"] = two_nodes.pools.pop("inference")
    renamed = two_nodes.up()
    assert renamed.status == 0, renamed.text
    two_nodes.pools["batch"] = {**serving, "nodes": [SECOND]}
    serving["nodes"] = [CANARY]
    moved = two_nodes.up()
    assert moved.status == 0, moved.text
    assert two_nodes.attempts() == before, "a node that has its config was written to"


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
