"""MIG Manager on a real API server: what it reacts to, what it leaves behind, and how it lies."""

import asyncio

import pytest

from mig_fleet.model import labels
from mig_fleet.simulator import Fault
from mig_fleet.simulator.node.manager import Wish
from tests.simulator.site import LAYOUTS, NAMESPACE, config_map, template

PLUGIN = labels.DEPLOY_PREFIX + "device-plugin"


def test_a_value_written_again_is_no_news_and_one_that_was_away_is():
    async def scenario() -> None:
        wish = Wish()
        wish.set("dense")
        assert await wish.next() == "dense"
        waiting = asyncio.create_task(wish.next())
        await asyncio.sleep(0)
        wish.set("")
        await asyncio.sleep(0)
        assert not waiting.done(), "a label that was taken off is not acted on"
        wish.set("dense")
        assert await asyncio.wait_for(waiting, 1) == "dense", "it is acted on when it comes back"

    asyncio.run(scenario())


def test_a_value_that_changed_and_changed_back_during_an_apply_is_not_noticed():
    async def scenario() -> None:
        wish = Wish()
        wish.set("dense")
        assert await wish.next() == "dense"
        wish.set("halves")
        wish.set("dense")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(wish.next(), 0.01)

    asyncio.run(scenario())


@pytest.mark.engine
def test_a_config_is_applied_and_offered(site):
    site.assign("hopper-1", "dense")
    site.settled("hopper-1", "dense")
    offered = {"nvidia.com/mig-1g.10gb": 14}
    site.eventually(lambda: site.offered("hopper-1") == offered, "the slices are offered")
    site.eventually(lambda: site.label("hopper-1", "nvidia.com/mig-1g.10gb.count") == "14", "GFD counted them")
    assert [dict(gpu.counts()) for gpu in site.fleet.driver("hopper-1").gpus] == [{"1g.10gb": 7}] * 2
    assert site.label("hopper-1", labels.DEPLOY_PREFIX + "nvsm") == "true", "paused and unpaused though never there"
    assert site.offered("hopper-2") == {"nvidia.com/gpu": 2}, "other nodes are left alone"


@pytest.mark.engine
def test_operands_leave_before_the_gpus_are_touched_and_come_back_as_new_pods(site):
    before = site.pods("nvidia-device-plugin-daemonset", "hopper-1")[0]["metadata"]["uid"]
    site.fleet.inject("hopper-1", Fault.MANAGER_SLOW)
    site.assign("hopper-1", "halves")
    site.eventually(lambda: site.state("hopper-1") == "pending", "the manager began")
    site.eventually(lambda: site.label("hopper-1", PLUGIN) == labels.PAUSED, "operands are paused")
    site.eventually(lambda: not site.offered("hopper-1"), "without a plugin nothing is offered")
    assert not any(gpu.instances for gpu in site.fleet.driver("hopper-1").gpus), "still before the apply"
    site.settled("hopper-1", "halves")
    assert site.pods("nvidia-device-plugin-daemonset", "hopper-1")[0]["metadata"]["uid"] != before


@pytest.mark.engine
@pytest.mark.parametrize(
    ("config", "said"),
    [("never-heard-of", "never-heard-of"), ("impossible", "all orderings failed")],
    ids=["a config that is not in the file", "a config that no GPU can take"],
)
def test_what_cannot_be_applied_ends_in_failed_with_the_operands_back(site, config, said):
    site.assign("hopper-1", config)
    site.eventually(lambda: site.state("hopper-1") == "failed", "it failed")
    assert said in site.manager_log("hopper-1")
    assert site.label("hopper-1", PLUGIN) == "true"


@pytest.mark.engine
def test_the_same_value_again_changes_nothing_and_a_new_manager_pod_applies_it(site):
    site.assign("hopper-1", "dense")
    site.settled("hopper-1", "dense")
    site.fleet.destroy_slice("hopper-1", gpu=1, start=3)
    site.patch_labels("hopper-1", {labels.CONFIG: "dense"})
    rounds = site.manager_log("hopper-1").count("Updating to MIG config: dense")
    site.eventually(lambda: site.label("hopper-1", "nvidia.com/mig-1g.10gb.count") == "13", "GFD sees the loss")
    assert site.offered("hopper-1") == {"nvidia.com/mig-1g.10gb": 14}, "the device plugin does not"
    assert site.manager_log("hopper-1").count("Updating to MIG config: dense") == rounds
    site.delete_pods("hopper-1", "nvidia-mig-manager")
    full = [{"1g.10gb": 7}] * 2
    site.eventually(lambda: [dict(g.counts()) for g in site.fleet.driver("hopper-1").gpus] == full, "it is cut anew")


@pytest.mark.engine
def test_a_label_written_before_the_file_arrived_fails_and_is_not_retried(site):
    """The propagation race: the ConfigMap is new, the file in the manager's pod is not."""
    path = f"/api/v1/namespaces/{NAMESPACE}/configmaps/{labels.LAYOUTS_CONFIG_MAP}"
    newer = {**LAYOUTS, "brand-new": LAYOUTS["dense"]}
    site.fleet.call("patch", path, {"data": config_map(newer)["data"]})
    site.assign("hopper-2", "brand-new")
    site.eventually(lambda: site.state("hopper-2") == "failed", "it failed")
    site.assign("hopper-2", "dense")
    site.settled("hopper-2", "dense")
    site.assign("hopper-2", "brand-new")
    site.settled("hopper-2", "brand-new")


@pytest.mark.engine
def test_a_running_pod_with_a_slice_blocks_the_change(site):
    site.assign("hopper-1", "dense")
    site.settled("hopper-1", "dense")
    pod = {"apiVersion": "v1", "kind": "Pod", **template("training")}
    pod["metadata"]["name"] = "training"
    pod["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/mig-1g.10gb": 3}}
    site.create("/api/v1/namespaces/default/pods", pod)
    site.eventually(lambda: site.phases("training") == ["Running"], "the pod runs")
    clients = [client for gpu in site.fleet.driver("hopper-1").gpus for client in gpu.clients]
    assert [client.name for client in clients] == ["default/training"] * 3
    site.assign("hopper-1", "halves")
    site.eventually(lambda: site.state("hopper-1") == "failed", "it failed")
    assert "(held by default/training): In use by another client" in site.manager_log("hopper-1")
    site.fleet.call("delete", "/api/v1/namespaces/default/pods/training")
    site.eventually(lambda: not site.pods("training", namespace="default"), "the pod is gone")
    assert not any(gpu.clients for gpu in site.fleet.driver("hopper-1").gpus)


@pytest.mark.engine
@pytest.mark.parametrize(
    ("fault", "state", "slices"),
    [
        (Fault.MANAGER_FAILS, "failed", [None, None]),
        (Fault.MANAGER_CREATES_NOTHING, "success", [{}, {}]),
    ],
)
def test_faults_of_the_manager_stay_until_they_are_healed(site, fault, state, slices):
    site.fleet.inject("ampere-1", fault)
    assert fault in site.node("ampere-1")["metadata"]["annotations"]["simulator.mig-fleet.dev/faults"]
    for config in ("dense", "halves"):
        site.assign("ampere-1", config)
        site.eventually(lambda: site.state("ampere-1") == state, f"{fault} ends in {state}")
    found = [dict(gpu.counts()) if gpu.mode else None for gpu in site.fleet.driver("ampere-1").gpus]
    assert found == slices
    site.fleet.heal("ampere-1", fault)
    site.assign("ampere-1", "dense")
    site.settled("ampere-1", "dense")


@pytest.mark.engine
def test_a_manager_that_waits_in_vain_leaves_the_node_pending_paused_and_without_gpus(site):
    site.fleet.inject("ampere-1", Fault.MANAGER_STUCK_PENDING)
    site.assign("ampere-1", "dense")
    site.eventually(lambda: "did not shutdown" in site.manager_log("ampere-1"), "it gave up")
    site.eventually(lambda: not site.offered("ampere-1"), "nothing is offered")
    assert (site.state("ampere-1"), site.label("ampere-1", PLUGIN)) == ("pending", labels.PAUSED)


@pytest.mark.engine
def test_a_stale_kubelet_offers_what_it_offered_before_until_it_is_healed(site):
    site.fleet.inject("hopper-2", Fault.STALE_ALLOCATABLE)
    site.assign("hopper-2", "dense")
    site.settled("hopper-2", "dense")
    assert site.offered("hopper-2") == {"nvidia.com/gpu": 2}
    site.fleet.heal("hopper-2")
    site.eventually(lambda: site.offered("hopper-2") == {"nvidia.com/mig-1g.10gb": 14}, "it caught up")


@pytest.mark.engine
def test_a_node_whose_label_is_taken_off_loses_its_slices_sooner_or_later(site):
    """The operator gives all-disabled to every node without a config, so deleting the label is not a way to stop."""
    site.assign("hopper-2", "dense")
    site.settled("hopper-2", "dense")
    site.patch_labels("hopper-2", {labels.CONFIG: None})
    site.settled("hopper-2", labels.ALL_DISABLED)
    site.eventually(lambda: site.offered("hopper-2") == {"nvidia.com/gpu": 2}, "whole GPUs again")
