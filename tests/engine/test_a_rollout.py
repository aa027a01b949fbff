"""A change of a running fleet on the real engine: wave after wave, with users on the nodes and bad days among them."""

import signal
from typing import Any

import pytest

from mig_fleet.model import labels
from mig_fleet.simulator import Fault
from mig_fleet.simulator.driver import Client
from tests.engine.deployment import Deployment, as_declared, baseline

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

SEVEN, THREE = {"1g.10gb": 7}, {"2g.20gb": 3}
CANARY, SECOND, THIRD = "gpu-node-1", "gpu-node-2", "gpu-node-3"


@pytest.fixture
def one_by_one(project: Deployment) -> Deployment:
    """Three nodes in one pool, changed one at a time; all cut in seven."""
    config = baseline(project.fleet)
    for name in ("mixed", "whole"):
        del config["pools"][name]
    config["pools"]["inference"] |= {"nodes": [CANARY, SECOND, THIRD], "rollout": rollout()}
    return as_declared(project, config)


def rollout(**changes: Any) -> dict[str, Any]:
    return {"canary": 1, "maxUnavailable": 1, "timeout": "60s", **changes}


def cut_anew(deployment: Deployment, **changes: Any) -> None:
    deployment.layouts["inference-dense"] = {"gpu": "H100-80GB", "all": THREE}
    deployment.pools["inference"]["rollout"] = rollout(**changes)


def closed(deployment: Deployment) -> list[str]:
    """The nodes that carry our taint."""
    return sorted(
        name
        for name, node in deployment.nodes().items()
        if any(taint["key"] == labels.TAINT for taint in node["spec"].get("taints") or [])
    )


def test_a_canary_that_fails_stops_its_pool_and_not_the_others(one_by_one: Deployment) -> None:
    before = one_by_one.carried()
    cut_anew(one_by_one)
    one_by_one.layouts["training-and-inference"]["gpus"][0]["profiles"] = {"7g.80gb": 1}
    one_by_one.fleet.inject(CANARY, Fault.MANAGER_FAILS)
    failed = one_by_one.run("up", "--yes", "--skip-preview", "--continue-on-error")
    assert failed.status != 0
    after = one_by_one.carried()
    assert {name: after[name] for name in (SECOND, THIRD)} == {name: before[name] for name in (SECOND, THIRD)}
    assert one_by_one.realized_on("gpu-node-4") == {"0-1": "7g.80gb", "2-3": "7x 1g.10gb"}
    assert closed(one_by_one) == [CANARY]
    assert f"kubectl taint nodes {CANARY} {labels.TAINT}-" in failed.diagnostics, failed.text
    assert "Traceback" not in failed, failed.text
    one_by_one.fleet.heal(CANARY)
    healed = one_by_one.up()
    assert healed.status == 0, healed.text
    assert closed(one_by_one) == []
    assert {one_by_one.realized_on(name)["0-7"] for name in (CANARY, SECOND, THIRD)} == {"3x 2g.20gb"}


def test_a_preview_tells_whom_a_change_disturbs_and_users_are_moved_only_when_the_stack_says_so(
    one_by_one: Deployment,
) -> None:
    fleet = one_by_one.fleet
    pod = fleet.run_pod(CANARY, {"nvidia.com/mig-1g.10gb": 1}, name="web", owner="Deployment")
    try:
        cut_anew(one_by_one)
        seen = one_by_one.preview("--diff")
        assert seen.status == 0, seen.text
        for line in (
            f"{CANARY}: GPU 0-7: 7x 1g.10gb → GPU 0-7: 3x 2g.20gb",
            f"{CANARY}: default/{pod} (Deployment web) holds 1x mig-1g.10gb",
            f"default/{pod} (Deployment web) runs on {CANARY} and asks for mig-1g.10gb",
            "nvidia.com/mig-1g.10gb: 56 → 0",
            "nvidia.com/mig-2g.20gb: 0 → 24",
        ):
            assert line in seen, seen.text
        refused = one_by_one.up()
        assert refused.status != 0
        assert "nothing was changed:" in refused, refused.text
        assert f"node '{CANARY}' is in use: default/{pod} (Deployment web) holds 1x mig-1g.10gb" in refused
        assert closed(one_by_one) == []
        cut_anew(one_by_one, onUserPods="evict")
        moved = one_by_one.up()
        assert moved.status == 0, moved.text
        assert pod not in {found["metadata"]["name"] for found in fleet.user_pods.named("web")}
        assert {one_by_one.realized_on(name)["0-7"] for name in (CANARY, SECOND, THIRD)} == {"3x 2g.20gb"}
    finally:
        fleet.user_pods.clear()


def test_a_wave_that_fails_goes_back_to_what_was_verified_and_the_next_update_tries_again(
    one_by_one: Deployment,
) -> None:
    before = one_by_one.carried()
    cut_anew(one_by_one, onFailure="rollback", recovery=False)
    with one_by_one.fleet.driver_file(THIRD).change() as driver:
        driver.gpus[0].clients.append(Client("a process that no scheduler knows of", None))
    failed = one_by_one.up()
    assert failed.status != 0
    assert f"MIG Manager failed: {THIRD}: could not apply" in failed.diagnostics, failed.text
    assert f"rolled back to '{before[THIRD][0]}', read back and open again: {THIRD}" in failed.diagnostics, failed.text
    assert one_by_one.realized_on(CANARY) == {"0-7": "3x 2g.20gb"}, "a wave that was verified stays"
    assert one_by_one.realized_on(THIRD) == {"0-7": "7x 1g.10gb"}
    after = one_by_one.carried()
    assert (after[SECOND], after[THIRD]) == (before[SECOND], before[THIRD])
    assert closed(one_by_one) == []
    with one_by_one.fleet.driver_file(THIRD).change() as driver:
        driver.gpus[0].clients.clear()
    again = one_by_one.up()
    assert again.status == 0, again.text
    assert {one_by_one.realized_on(name)["0-7"] for name in (CANARY, SECOND, THIRD)} == {"3x 2g.20gb"}


@pytest.mark.parametrize(
    "signals", [[signal.SIGINT], [signal.SIGINT, signal.SIGINT], [signal.SIGKILL]], ids=["once", "twice", "killed"]
)
def test_an_update_that_is_interrupted_in_a_wave_is_finished_by_the_next_one(
    one_by_one: Deployment, signals: list[signal.Signals]
) -> None:
    one_by_one.fleet.inject(CANARY, Fault.MANAGER_SLOW)
    cut_anew(one_by_one)
    one_by_one.interrupted(lambda: closed(one_by_one) == [CANARY], signals)
    one_by_one.fleet.heal(CANARY)
    healed = one_by_one.up()
    assert healed.status == 0, healed.text
    assert closed(one_by_one) == []
    assert {one_by_one.realized_on(name)["0-7"] for name in (CANARY, SECOND, THIRD)} == {"3x 2g.20gb"}
    quiet = one_by_one.up()
    assert quiet.status == 0, quiet.text
    assert one_by_one.preview("--expect-no-changes").status == 0


def test_a_rollout_may_take_several_updates(one_by_one: Deployment) -> None:
    cut_anew(one_by_one, maxWavesPerUpdate=1)
    one_by_one.fleet.run_pod(CANARY, {"nvidia.com/mig-1g.10gb": 1}, name="web", owner="Deployment")
    try:
        seen = one_by_one.preview("--diff")
    finally:
        one_by_one.fleet.user_pods.clear()
    assert "(Deployment web) holds 1x mig-1g.10gb" in seen, seen.text
    assert "asks for mig-1g.10gb" not in seen, "the waves that wait go on offering it"
    for done, waiting in ((1, "wave-010, wave-011"), (2, "wave-011")):
        outcome = one_by_one.up()
        assert outcome.status == 0, outcome.text
        assert f"{3 - done} of 3 waves wait for a later update: {waiting}" in outcome, outcome.text
        assert [one_by_one.realized_on(n)["0-7"] for n in (CANARY, THIRD, SECOND)].count("3x 2g.20gb") == done
    assert one_by_one.up().status == 0
    assert {one_by_one.realized_on(name)["0-7"] for name in (CANARY, SECOND, THIRD)} == {"3x 2g.20gb"}
    assert one_by_one.up().status == 0, "takes the old layout out of MIG Manager's file"
    quiet = one_by_one.preview("--expect-no-changes")
    assert quiet.status == 0, quiet.text


def test_a_renamed_pool_and_a_node_that_changes_pools_are_not_cut_anew(one_by_one: Deployment) -> None:
    before = one_by_one.attempts()
    serving = one_by_one.pools["serving"] = one_by_one.pools.pop("inference")
    renamed = one_by_one.up()
    assert renamed.status == 0, renamed.text
    one_by_one.pools["batch"] = {**serving, "nodes": [SECOND]}
    serving["nodes"] = [CANARY, THIRD]
    moved = one_by_one.up()
    assert moved.status == 0, moved.text
    assert one_by_one.attempts() == before, "a node was written a config that it carried already"


def test_a_node_that_joins_is_picked_up_by_its_labels_opened_when_verified_and_moves_no_other(
    one_by_one: Deployment,
) -> None:
    fleet, before = one_by_one.fleet, one_by_one.attempts()
    fleet.call("create", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", NODE_FEATURE_RULES)
    fleet.join_node({"name": "gpu-node-5", "gpu": "H100-80GB", "gpus": 8})
    try:
        taint = {"key": labels.STARTUP_TAINT, "value": "true", "effect": "NoSchedule"}
        fleet.call("patch", "/api/v1/nodes/gpu-node-5", {"spec": {"taints": [taint]}})
        del one_by_one.pools["inference"]["nodes"]
        one_by_one.pools["inference"]["selector"] = {"matchLabels": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}}
        outcome = one_by_one.up()
        assert outcome.status == 0, outcome.text
        assert one_by_one.realized_on("gpu-node-5") == {"0-7": "7x 1g.10gb"}
        assert not one_by_one.nodes()["gpu-node-5"]["spec"].get("taints"), "verified nodes are open"
        assert {n: a for n, a in one_by_one.attempts().items() if n in before} == before
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
"""Node Feature Discovery's custom resource, as far as the API server needs to know it."""
