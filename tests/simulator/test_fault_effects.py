"""Faults of nodes, of MIG Manager and of other operands: what each does, and how it ends."""

import pytest

from mig_fleet.model import labels
from mig_fleet.simulator import Fault
from mig_fleet.simulator.errors import FleetFileError, UnknownNode
from mig_fleet.simulator.operands.node_features import FEATURES
from tests.simulator.site import NAMESPACE, Site

pytestmark = pytest.mark.engine

PLUGIN = "nvidia-device-plugin-daemonset"
MANAGER = "nvidia-mig-manager"
DENSE = {"nvidia.com/mig-1g.10gb": 14}


def counts(site: Site, node: str) -> list[dict[str, int] | None]:
    return [dict(gpu.counts()) if gpu.mode else None for gpu in site.fleet.driver(node).gpus]


def ready(site: Site, node: str) -> str:
    """The status of the node's condition Ready."""
    return str(next(c["status"] for c in site.node(node)["status"]["conditions"] if c["type"] == "Ready"))


def pods_of(site: Site, app: str, node: str) -> set[str]:
    return {pod["metadata"]["uid"] for pod in site.pods(app, node)}


def restart_manager(site: Site, node: str) -> None:
    before = pods_of(site, MANAGER, node)
    site.delete_pods(node, MANAGER)
    site.eventually(lambda: pods_of(site, MANAGER, node) - before, "MIG Manager has a new pod")


def test_a_node_that_is_not_ready_neither_starts_nor_terminates_pods(site: Site) -> None:
    site.fleet.inject("hopper-1", Fault.NODE_NOT_READY)
    site.eventually(lambda: ready(site, "hopper-1") == "False", "the node is not Ready")
    before = pods_of(site, PLUGIN, "hopper-1")
    site.assign("hopper-1", "dense")
    site.eventually(lambda: site.state("hopper-1") == "pending", "MIG Manager still runs and starts")
    site.eventually(lambda: site.pods(PLUGIN, "hopper-1")[0]["metadata"].get("deletionTimestamp"), "the pod is deleted")
    assert site.offered("hopper-1") == {"nvidia.com/gpu": 2}, "but it does not terminate"
    site.fleet.clear_faults("hopper-1")
    site.eventually(lambda: ready(site, "hopper-1") == "True", "the node is Ready again")
    site.wait_for_success("hopper-1", "dense")
    assert not pods_of(site, PLUGIN, "hopper-1") & before


def test_a_manager_that_fails_once_succeeds_with_its_next_pod(site: Site) -> None:
    site.fleet.inject("hopper-1", Fault.MANAGER_FAILS_ONCE)
    site.assign("hopper-1", "dense")
    site.eventually(lambda: site.state("hopper-1") == "failed", "the state is failed")
    restart_manager(site, "hopper-1")
    site.wait_for_success("hopper-1", "dense")


def test_a_silent_manager_does_not_react_to_the_label(site: Site) -> None:
    site.fleet.inject("hopper-1", Fault.MANAGER_SILENT)
    site.assign("hopper-1", "dense")
    restart_manager(site, "hopper-1")
    site.eventually(lambda: "Waiting for change" in site.manager_log("hopper-1"), "MIG Manager runs")
    site.assign("hopper-2", "dense")
    site.wait_for_success("hopper-2", "dense")
    assert site.state("hopper-1") is None, "after the time that another node needed"
    assert counts(site, "hopper-1") == [None, None]


def test_an_apply_that_is_one_slice_short_reports_success(site: Site) -> None:
    site.fleet.inject("hopper-1", Fault.MANAGER_ONE_SLICE_SHORT)
    site.assign("hopper-1", "dense")
    site.wait_for_success("hopper-1", "dense")
    assert counts(site, "hopper-1") == [{"1g.10gb": 6}, {"1g.10gb": 7}]


def test_the_fault_manager_wedged_needs_restored_operands_and_a_new_pod(site: Site) -> None:
    timeout = "did not shutdown"
    before = site.manager_log("hopper-1").count(timeout)
    site.fleet.inject("hopper-1", Fault.MANAGER_WEDGED)
    site.assign("hopper-1", "dense")
    site.eventually(lambda: site.manager_log("hopper-1").count(timeout) > before, "MIG Manager timed out")
    restart_manager(site, "hopper-1")
    site.eventually(lambda: site.manager_log("hopper-1").count(timeout) > before + 1, "a new pod alone does not help")
    paused = [name for name, value in site.node("hopper-1")["metadata"]["labels"].items() if value == labels.PAUSED]
    site.patch_labels("hopper-1", dict.fromkeys(paused, "true"))
    assert site.state("hopper-1") == "pending", "the labels alone do not help either"
    restart_manager(site, "hopper-1")
    site.wait_for_success("hopper-1", "dense")
    site.eventually(lambda: site.offered("hopper-1") == DENSE, "the slices are offered")


def test_a_stale_plugin_recovers_with_its_next_pod(site: Site) -> None:
    site.fleet.inject("hopper-1", Fault.PLUGIN_STALE)
    site.assign("hopper-1", "dense")
    site.wait_for_success("hopper-1", "dense")
    assert site.offered("hopper-1") == {"nvidia.com/gpu": 2}
    site.delete_pods("hopper-1", PLUGIN)
    site.eventually(lambda: site.offered("hopper-1") == DENSE, "the new pod has read the GPUs")


def test_a_plugin_that_shares_offers_each_slice_twice_from_its_next_pod_on(site: Site) -> None:
    site.assign("hopper-1", "dense")
    site.wait_for_success("hopper-1", "dense")
    site.fleet.inject("hopper-1", Fault.PLUGIN_SHARES)
    site.delete_pods("hopper-1", PLUGIN)
    site.eventually(lambda: site.offered("hopper-1") == {"nvidia.com/mig-1g.10gb": 28}, "each slice is offered twice")
    slices = "nvidia.com/mig-1g.10gb"
    site.eventually(lambda: site.label("hopper-1", f"{slices}.replicas") == "2", "GFD labels it as shared")
    assert site.label("hopper-1", f"{slices}.sharing-strategy") == "time-slicing"
    assert site.label("hopper-1", f"{slices}.product") == "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb-SHARED"


@pytest.mark.parametrize("fault", [Fault.GFD_SLOW, Fault.GFD_STALE])
def test_labels_of_feature_discovery_are_late_or_missing(site: Site, fault: Fault) -> None:
    site.fleet.inject("hopper-1", fault)
    site.assign("hopper-1", "dense")
    site.wait_for_success("hopper-1", "dense")
    site.eventually(lambda: site.offered("hopper-1") == DENSE, "the device plugin is not affected")
    assert site.label("hopper-1", "nvidia.com/mig-1g.10gb.count") is None
    if fault is Fault.GFD_STALE:
        site.fleet.clear_faults("hopper-1")
    site.eventually(lambda: site.label("hopper-1", "nvidia.com/mig-1g.10gb.count") == "14", "the label is current")


def test_any_nvml_function_can_fail_and_mig_manager_fails_with_those_it_calls(site: Site) -> None:
    site.fleet.inject_nvml_error("hopper-1", "nvmlDeviceGetMemoryInfo", 999)
    site.assign("hopper-1", "dense")
    site.wait_for_success("hopper-1", "dense")
    site.fleet.inject_nvml_error("hopper-1", "nvmlDeviceGetMigMode", 15)
    assert site.fleet.driver("hopper-1").errors == {"nvmlDeviceGetMemoryInfo": 999, "nvmlDeviceGetMigMode": 15}
    site.assign("hopper-1", "halves")
    site.eventually(lambda: site.state("hopper-1") == "failed", "the state is failed")
    assert "error from NVML: nvmlDeviceGetMigMode returned 15" in site.manager_log("hopper-1")
    site.fleet.clear_faults("hopper-1")
    site.eventually(lambda: not site.fleet.driver("hopper-1").errors, "the driver has no errors")


def restarts(site: Site, node: str) -> int:
    """How often the container of MIG Manager's pod was restarted; the kubelet publishes it a moment later."""
    count: int = site.pods(MANAGER, node)[0]["status"]["containerStatuses"][0]["restartCount"]
    return count


@pytest.mark.parametrize(("node", "keeps"), [("hopper-1", False), ("ampere-1", True)])
def test_a_reboot_destroys_the_slices_and_mig_manager_creates_them_again(site: Site, node: str, keeps: bool) -> None:
    site.assign(node, "dense")
    site.wait_for_success(node, "dense")
    site.fleet.inject(node, Fault.MANAGER_SILENT)
    before = site.pods(MANAGER, node)[0]
    site.fleet.reboot(node)
    expected: list[dict[str, int] | None] = [{}, {}] if keeps else [None, None]
    assert counts(site, node) == expected, "the mode survives on Ampere only"
    site.eventually(lambda: restarts(site, node) == 1, "the pod runs again")
    site.fleet.clear_faults(node)
    site.fleet.reboot(node)
    site.eventually(lambda: counts(site, node) == [{"1g.10gb": 7}] * 2, "MIG Manager applies the label when it starts")
    site.wait_for_success(node, "dense")
    site.eventually(lambda: restarts(site, node) == 2, "the pod runs again")
    assert site.pods(MANAGER, node)[0]["metadata"]["uid"] == before["metadata"]["uid"], "the same pods, restarted"


def test_a_mode_that_needs_a_reboot_stays_pending_and_the_apply_fails(site: Site) -> None:
    site.fleet.inject("ampere-1", Fault.MODE_CHANGE_NEEDS_REBOOT)
    site.assign("ampere-1", "dense")
    site.eventually(lambda: site.state("ampere-1") == "failed", "the state is failed")
    assert [(gpu.mode, gpu.pending) for gpu in site.fleet.driver("ampere-1").gpus] == [(False, True)] * 2
    assert "unable to apply MIG config with MIG mode off" in site.manager_log("ampere-1")
    site.fleet.reboot("ampere-1")
    site.wait_for_success("ampere-1", "dense")
    assert counts(site, "ampere-1") == [{"1g.10gb": 7}] * 2


def test_with_reboot_mig_manager_reboots_the_node_for_the_mode(site: Site) -> None:
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets/{MANAGER}"
    environment = [{"name": "MIG_STRATEGY", "value": "mixed"}, {"name": "WITH_REBOOT", "value": "true"}]

    def restart_with(env: list[dict[str, str]]) -> None:
        before = pods_of(site, MANAGER, "ampere-1")
        container = site.fleet.call("get", path)["spec"]["template"]["spec"]["containers"][0]
        site.fleet.call("patch", path, {"spec": {"template": {"spec": {"containers": [{**container, "env": env}]}}}})
        site.eventually(lambda: pods_of(site, MANAGER, "ampere-1") - before, "MIG Manager has a new pod")

    restart_with(environment)
    site.fleet.inject("ampere-1", Fault.MODE_CHANGE_NEEDS_REBOOT)
    boot = site.node("ampere-1")["status"]["nodeInfo"]["bootID"]
    site.assign("ampere-1", "dense")
    site.eventually(lambda: site.state("ampere-1") == "rebooting", "the state is rebooting")
    site.wait_for_success("ampere-1", "dense")
    assert site.node("ampere-1")["status"]["nodeInfo"]["bootID"] != boot
    assert counts(site, "ampere-1") == [{"1g.10gb": 7}] * 2
    restart_with(environment[:1])


def test_a_restart_of_the_daemon_set_replaces_every_manager_pod(site: Site) -> None:
    nodes = site.fleet.node_names()
    before = {node: pods_of(site, MANAGER, node) for node in nodes}
    site.fleet.restart_daemon_set(NAMESPACE, MANAGER)
    site.eventually(
        lambda: all(pods_of(site, MANAGER, node) - before[node] for node in nodes), "each node has a new pod"
    )


def test_a_node_joins_works_and_is_replaced_by_another_of_its_name(site: Site) -> None:
    fleet = site.fleet
    taint = {"key": labels.STARTUP_TAINT, "value": "true", "effect": "NoSchedule"}
    fleet.join_node({"name": "late-1", "gpu": "H100-80GB", "gpus": 1, "taints": [taint]})
    assert "late-1" in fleet.node_names()
    found = site.node("late-1")["metadata"]["labels"]
    assert not FEATURES.keys() & found.keys(), "the worker of Node Feature Discovery here does not tolerate the taint"
    fleet.call("patch", "/api/v1/nodes/late-1", {"spec": {"taints": None}})
    site.wait_for_success("late-1", labels.ALL_DISABLED)
    site.assign("late-1", "dense")
    site.wait_for_success("late-1", "dense")
    uid = site.node("late-1")["metadata"]["uid"]
    with pytest.raises(FleetFileError, match="duplicate node names: late-1"):
        fleet.join_node({"name": "late-1", "gpu": "H100-80GB"})
    fleet.remove_node("late-1")
    assert "late-1" not in fleet.node_names()
    with pytest.raises(UnknownNode, match="its nodes: hopper-1, hopper-2, ampere-1"):
        fleet.remove_node("late-1")
    fleet.join_node({"name": "late-1", "gpu": "A100-80GB", "gpus": 2})
    site.wait_for_success("late-1", labels.ALL_DISABLED)
    assert site.node("late-1")["metadata"]["uid"] != uid
    assert counts(site, "late-1") == [None, None]
    fleet.remove_node("late-1")
    site.eventually(lambda: not site.pods(MANAGER, "late-1"), "its pods are deleted")
