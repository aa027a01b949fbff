"""MIG Manager on a real API server: what it reacts to, the state that it leaves, and its false reports."""

import asyncio

import pytest

from mig_fleet.model import labels
from mig_fleet.simulator import Fault
from mig_fleet.simulator.operands.manager import DesiredConfig
from tests.simulator.site import LAYOUTS, NAMESPACE, Site, config_map, template

PLUGIN = labels.DEPLOY_PREFIX + "device-plugin"
MOUNTED = f"/mig-parted-config/{labels.LAYOUTS_KEY}"


def test_the_same_value_again_is_no_change_and_one_that_was_removed_is() -> None:
    async def scenario() -> None:
        desired = DesiredConfig()
        desired.set("dense")
        assert await desired.next() == "dense"
        waiting = asyncio.create_task(desired.next())
        await asyncio.sleep(0)
        desired.set("")
        await asyncio.sleep(0)
        assert not waiting.done(), "it does not react to a removed label"
        desired.set("dense")
        assert await asyncio.wait_for(waiting, 1) == "dense", "it reacts when the label is written again"

    asyncio.run(scenario())


def test_a_value_that_changes_back_during_an_apply_is_not_noticed() -> None:
    async def scenario() -> None:
        desired = DesiredConfig()
        desired.set("dense")
        assert await desired.next() == "dense"
        desired.set("halves")
        desired.set("dense")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(desired.next(), 0.01)

    asyncio.run(scenario())


@pytest.mark.engine
def test_a_config_is_applied_and_offered(site: Site) -> None:
    site.assign("hopper-1", "dense")
    site.wait_for_success("hopper-1", "dense")
    offered = {"nvidia.com/mig-1g.10gb": 14}
    site.eventually(lambda: site.offered("hopper-1") == offered, "the slices are offered")
    site.eventually(lambda: site.label("hopper-1", "nvidia.com/mig-1g.10gb.count") == "14", "GFD has counted them")
    assert [dict(gpu.counts()) for gpu in site.fleet.driver("hopper-1").gpus] == [{"1g.10gb": 7}] * 2
    assert site.label("hopper-1", labels.DEPLOY_PREFIX + "nvsm") == "true", "restored although it was never set"
    assert site.offered("hopper-2") == {"nvidia.com/gpu": 2}, "other nodes do not change"


@pytest.mark.engine
def test_operands_terminate_before_the_gpus_change_and_return_as_new_pods(site: Site) -> None:
    before = site.pods("nvidia-device-plugin-daemonset", "hopper-1")[0]["metadata"]["uid"]
    site.fleet.inject("hopper-1", Fault.MANAGER_SLOW)
    site.assign("hopper-1", "halves")
    site.eventually(lambda: site.state("hopper-1") == "pending", "MIG Manager has started")
    site.eventually(lambda: site.label("hopper-1", PLUGIN) == labels.PAUSED, "operands are paused")
    site.eventually(lambda: not site.offered("hopper-1"), "without the device plugin the node offers no GPUs")
    assert not any(gpu.instances for gpu in site.fleet.driver("hopper-1").gpus), "the apply comes later"
    site.wait_for_success("hopper-1", "halves")
    assert site.pods("nvidia-device-plugin-daemonset", "hopper-1")[0]["metadata"]["uid"] != before


@pytest.mark.engine
@pytest.mark.parametrize(
    ("config", "message"),
    [("unknown", "unknown"), ("impossible", "all orderings failed")],
    ids=["a config that is not in the file", "a config that no GPU can take"],
)
def test_an_apply_that_fails_in_a_new_process_ends_in_failed_with_the_operands_restored(
    site: Site, config: str, message: str
) -> None:
    site.delete_pods("hopper-1", "nvidia-mig-manager")
    site.assign("hopper-1", config)
    site.eventually(
        lambda: (site.state("hopper-1"), site.label("hopper-1", PLUGIN)) == ("failed", "true"), "the state is failed"
    )
    assert message in site.manager_log("hopper-1")


@pytest.mark.engine
def test_the_same_value_again_changes_nothing_and_a_new_manager_pod_applies_it(site: Site) -> None:
    site.assign("hopper-1", "dense")
    site.wait_for_success("hopper-1", "dense")
    site.fleet.destroy_slice("hopper-1", gpu=1, start=3)
    site.patch_labels("hopper-1", {labels.CONFIG: "dense"})
    rounds = site.manager_log("hopper-1").count("Updating to MIG config: dense")
    site.eventually(lambda: site.label("hopper-1", "nvidia.com/mig-1g.10gb.count") == "13", "GFD reads the change")
    assert site.offered("hopper-1") == {"nvidia.com/mig-1g.10gb": 14}, "the device plugin does not"
    assert site.manager_log("hopper-1").count("Updating to MIG config: dense") == rounds
    site.delete_pods("hopper-1", "nvidia-mig-manager")
    full = [{"1g.10gb": 7}] * 2
    site.eventually(
        lambda: [dict(g.counts()) for g in site.fleet.driver("hopper-1").gpus] == full,
        "the new pod partitions the GPUs",
    )


@pytest.mark.engine
def test_a_label_written_before_the_file_arrives_fails_and_is_not_retried(site: Site) -> None:
    """The file in MIG Manager's pod is the one of before; so it is for a while after the ConfigMap has changed."""
    site.assign("hopper-2", "brand-new")
    site.eventually(lambda: site.state("hopper-2") == "failed", "the state is failed")
    path = f"/api/v1/namespaces/{NAMESPACE}/configmaps/{labels.LAYOUTS_CONFIG_MAP}"
    newer = {**LAYOUTS, "brand-new": LAYOUTS["dense"]}
    site.fleet.call("patch", path, {"data": config_map(newer)["data"]})
    (manager,) = (pod["metadata"]["name"] for pod in site.pods("nvidia-mig-manager", "hopper-2"))
    has_it = ["nvidia-mig-parted", "assert", "--valid-config", "-f", MOUNTED, "-c", "brand-new"]
    site.eventually(lambda: site.cluster.execute(NAMESPACE, manager, has_it)[0] == 0, "the file has arrived")
    assert site.state("hopper-2") == "failed"
    site.assign("hopper-2", "dense")
    site.wait_for_success("hopper-2", "dense")
    site.assign("hopper-2", "brand-new")
    site.wait_for_success("hopper-2", "brand-new")


@pytest.mark.engine
def test_a_running_pod_with_a_slice_blocks_the_change(site: Site) -> None:
    site.assign("hopper-1", "dense")
    site.wait_for_success("hopper-1", "dense")
    pod = {"apiVersion": "v1", "kind": "Pod", **template("training")}
    pod["metadata"]["name"] = "training"
    pod["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/mig-1g.10gb": 3}}
    site.create("/api/v1/namespaces/default/pods", pod)
    site.eventually(lambda: site.phases("training") == ["Running"], "the pod runs")
    clients = [client for gpu in site.fleet.driver("hopper-1").gpus for client in gpu.clients]
    assert [client.name for client in clients] == ["default/training"] * 3
    site.assign("hopper-1", "halves")
    site.eventually(lambda: site.state("hopper-1") == "failed", "the state is failed")
    assert "(client default/training): In use by another client" in site.manager_log("hopper-1")
    site.fleet.call("delete", "/api/v1/namespaces/default/pods/training")
    site.eventually(lambda: not site.pods("training", namespace="default"), "the pod is deleted")
    assert not any(gpu.clients for gpu in site.fleet.driver("hopper-1").gpus)


@pytest.mark.engine
@pytest.mark.parametrize(
    ("fault", "state", "slices"),
    [
        (Fault.MANAGER_FAILS, "failed", [None, None]),
        (Fault.MANAGER_CREATES_NOTHING, "success", [{}, {}]),
    ],
)
def test_faults_of_the_manager_remain_until_they_are_cleared(
    site: Site, fault: Fault, state: str, slices: list[dict[str, int] | None]
) -> None:
    site.fleet.inject("ampere-1", fault)
    assert fault in site.node("ampere-1")["metadata"]["annotations"]["simulator.mig-fleet.dev/faults"]
    for config in ("dense", "halves"):
        site.assign("ampere-1", config)
        site.eventually(lambda: site.state("ampere-1") == state, f"{fault} ends in {state}")
    found = [dict(gpu.counts()) if gpu.mode else None for gpu in site.fleet.driver("ampere-1").gpus]
    assert found == slices
    site.fleet.clear_faults("ampere-1", fault)
    site.assign("ampere-1", "dense")
    site.wait_for_success("ampere-1", "dense")


@pytest.mark.engine
def test_a_manager_that_times_out_leaves_the_node_pending_paused_and_without_gpus(site: Site) -> None:
    site.fleet.inject("ampere-1", Fault.MANAGER_STUCK_PENDING)
    site.assign("ampere-1", "dense")
    site.eventually(lambda: "did not shutdown" in site.manager_log("ampere-1"), "MIG Manager timed out")
    site.eventually(lambda: not site.offered("ampere-1"), "the node offers no GPUs")
    assert (site.state("ampere-1"), site.label("ampere-1", PLUGIN)) == ("pending", labels.PAUSED)


@pytest.mark.engine
def test_a_stale_kubelet_keeps_its_resources_until_the_fault_is_cleared(site: Site) -> None:
    site.fleet.inject("hopper-2", Fault.STALE_ALLOCATABLE)
    site.assign("hopper-2", "dense")
    site.wait_for_success("hopper-2", "dense")
    assert site.offered("hopper-2") == {"nvidia.com/gpu": 2}
    site.fleet.clear_faults("hopper-2")
    site.eventually(lambda: site.offered("hopper-2") == {"nvidia.com/mig-1g.10gb": 14}, "the resources are current")


@pytest.mark.engine
def test_a_node_without_a_config_label_loses_its_slices(site: Site) -> None:
    """The operator sets all-disabled on every node without a config, so deleting the label does not keep the slices."""
    site.assign("hopper-2", "dense")
    site.wait_for_success("hopper-2", "dense")
    site.patch_labels("hopper-2", {labels.CONFIG: None})
    site.wait_for_success("hopper-2", labels.ALL_DISABLED)
    site.eventually(lambda: site.offered("hopper-2") == {"nvidia.com/gpu": 2}, "the node offers whole GPUs")
