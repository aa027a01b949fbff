"""Bad days of nodes, of MIG Manager and of the other operands: what each does, and how it ends."""

import pytest

from mig_fleet.model import labels
from mig_fleet.simulator import Fault
from mig_fleet.simulator.errors import FleetFileError, UnknownNode
from tests.simulator.site import NAMESPACE, Site

pytestmark = pytest.mark.engine

PLUGIN = "nvidia-device-plugin-daemonset"
MANAGER = "nvidia-mig-manager"
DENSE = {"nvidia.com/mig-1g.10gb": 14}


def counts(site: Site, node: str) -> list[dict[str, int] | None]:
    return [dict(gpu.counts()) if gpu.mode else None for gpu in site.fleet.driver(node).gpus]


def condition(site: Site, node: str) -> str:
    return next(c["status"] for c in site.node(node)["status"]["conditions"] if c["type"] == "Ready")


def pods_of(site: Site, app: str, node: str) -> set[str]:
    return {pod["metadata"]["uid"] for pod in site.pods(app, node)}


def restart_manager(site: Site, node: str) -> None:
    before = pods_of(site, MANAGER, node)
    site.delete_pods(node, MANAGER)
    site.eventually(lambda: pods_of(site, MANAGER, node) - before, "the manager has a new pod")


def test_a_node_that_is_not_ready_neither_starts_nor_ends_pods_until_it_is_healed(site):
    site.fleet.inject("hopper-1", Fault.NODE_NOT_READY)
    site.eventually(lambda: condition(site, "hopper-1") == "False", "it says so")
    before = pods_of(site, PLUGIN, "hopper-1")
    site.assign("hopper-1", "dense")
    site.eventually(lambda: site.state("hopper-1") == "pending", "the manager, which runs, begins")
    site.eventually(lambda: site.pods(PLUGIN, "hopper-1")[0]["metadata"].get("deletionTimestamp"), "it shall leave")
    assert site.offered("hopper-1") == {"nvidia.com/gpu": 2}, "and cannot"
    site.fleet.heal("hopper-1")
    site.eventually(lambda: condition(site, "hopper-1") == "True", "it is ready again")
    site.settled("hopper-1", "dense")
    assert not pods_of(site, PLUGIN, "hopper-1") & before


def test_a_manager_that_fails_once_succeeds_with_its_next_pod(site):
    site.fleet.inject("hopper-1", Fault.MANAGER_FAILS_ONCE)
    site.assign("hopper-1", "dense")
    site.eventually(lambda: site.state("hopper-1") == "failed", "it failed")
    restart_manager(site, "hopper-1")
    site.settled("hopper-1", "dense")


def test_a_silent_manager_reacts_to_nothing(site):
    site.fleet.inject("hopper-1", Fault.MANAGER_SILENT)
    site.assign("hopper-1", "dense")
    restart_manager(site, "hopper-1")
    site.eventually(lambda: "Waiting for change" in site.manager_log("hopper-1"), "it runs")
    site.assign("hopper-2", "dense")
    site.settled("hopper-2", "dense")
    assert site.state("hopper-1") is None, "as long as another node needed for all of it"
    assert counts(site, "hopper-1") == [None, None]


def test_an_apply_that_is_one_slice_short_is_called_a_success(site):
    site.fleet.inject("hopper-1", Fault.MANAGER_ONE_SLICE_SHORT)
    site.assign("hopper-1", "dense")
    site.settled("hopper-1", "dense")
    assert counts(site, "hopper-1") == [{"1g.10gb": 6}, {"1g.10gb": 7}]


def test_a_wedged_manager_needs_its_operands_back_and_a_new_pod(site):
    gave_up = "did not shutdown"
    begun = site.manager_log("hopper-1").count(gave_up)
    site.fleet.inject("hopper-1", Fault.MANAGER_WEDGED)
    site.assign("hopper-1", "dense")
    site.eventually(lambda: site.manager_log("hopper-1").count(gave_up) > begun, "it gave up")
    restart_manager(site, "hopper-1")
    site.eventually(lambda: site.manager_log("hopper-1").count(gave_up) > begun + 1, "a new pod alone is no help")
    paused = [name for name, value in site.node("hopper-1")["metadata"]["labels"].items() if value == labels.PAUSED]
    site.patch_labels("hopper-1", dict.fromkeys(paused, "true"))
    assert site.state("hopper-1") == "pending", "and neither are the labels alone"
    restart_manager(site, "hopper-1")
    site.settled("hopper-1", "dense")
    site.eventually(lambda: site.offered("hopper-1") == DENSE, "its slices are offered")


def test_a_stale_plugin_is_cured_by_its_next_pod(site):
    site.fleet.inject("hopper-1", Fault.PLUGIN_STALE)
    site.assign("hopper-1", "dense")
    site.settled("hopper-1", "dense")
    assert site.offered("hopper-1") == {"nvidia.com/gpu": 2}
    site.delete_pods("hopper-1", PLUGIN)
    site.eventually(lambda: site.offered("hopper-1") == DENSE, "the new pod looked at the GPUs")


@pytest.mark.parametrize("fault", [Fault.GFD_SLOW, Fault.GFD_STALE])
def test_labels_of_feature_discovery_come_late_or_not_at_all(site, fault):
    site.fleet.inject("hopper-1", fault)
    site.assign("hopper-1", "dense")
    site.settled("hopper-1", "dense")
    site.eventually(lambda: site.offered("hopper-1") == DENSE, "the plugin is not concerned")
    assert site.label("hopper-1", "nvidia.com/mig-1g.10gb.count") is None
    if fault is Fault.GFD_STALE:
        site.fleet.heal("hopper-1")
    site.eventually(lambda: site.label("hopper-1", "nvidia.com/mig-1g.10gb.count") == "14", "it caught up")


def test_any_call_of_nvml_can_fail_and_mig_manager_fails_with_those_it_makes(site):
    site.fleet.nvml_error("hopper-1", "nvmlDeviceGetMemoryInfo", 999)
    site.assign("hopper-1", "dense")
    site.settled("hopper-1", "dense")
    site.fleet.nvml_error("hopper-1", "nvmlDeviceGetMigMode", 15)
    assert site.fleet.driver("hopper-1").errors == {"nvmlDeviceGetMemoryInfo": 999, "nvmlDeviceGetMigMode": 15}
    site.assign("hopper-1", "halves")
    site.eventually(lambda: site.state("hopper-1") == "failed", "it failed")
    assert "error from NVML: nvmlDeviceGetMigMode answered 15" in site.manager_log("hopper-1")
    site.fleet.heal("hopper-1")
    site.eventually(lambda: not site.fleet.driver("hopper-1").errors, "the driver answers again")


@pytest.mark.parametrize(("node", "keeps"), [("hopper-1", False), ("ampere-1", True)])
def test_a_reboot_takes_the_slices_and_mig_manager_cuts_them_anew(site, node, keeps):
    site.assign(node, "dense")
    site.settled(node, "dense")
    site.fleet.inject(node, Fault.MANAGER_SILENT)
    before = site.pods(MANAGER, node)[0]
    site.fleet.reboot(node)
    assert counts(site, node) == ([{}, {}] if keeps else [None, None]), "the mode survives on Ampere alone"
    site.fleet.heal(node)
    site.fleet.reboot(node)
    site.eventually(lambda: counts(site, node) == [{"1g.10gb": 7}] * 2, "the manager applies the label when it starts")
    site.settled(node, "dense")
    after = site.pods(MANAGER, node)[0]
    assert after["metadata"]["uid"] == before["metadata"]["uid"], "the same pods, started again"
    assert after["status"]["containerStatuses"][0]["restartCount"] == 2


def test_a_mode_that_needs_a_reboot_stays_pending_and_the_apply_fails(site):
    site.fleet.inject("ampere-1", Fault.MODE_CHANGE_NEEDS_REBOOT)
    site.assign("ampere-1", "dense")
    site.eventually(lambda: site.state("ampere-1") == "failed", "it failed")
    assert [(gpu.mode, gpu.pending) for gpu in site.fleet.driver("ampere-1").gpus] == [(False, True)] * 2
    assert "unable to apply MIG config with MIG mode off" in site.manager_log("ampere-1")
    site.fleet.reboot("ampere-1")
    site.settled("ampere-1", "dense")
    assert counts(site, "ampere-1") == [{"1g.10gb": 7}] * 2


def test_a_manager_that_may_reboot_the_node_does_so_for_the_mode(site):
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets/{MANAGER}"
    environment = [{"name": "MIG_STRATEGY", "value": "mixed"}, {"name": "WITH_REBOOT", "value": "true"}]

    def become(env: list[dict[str, str]]) -> None:
        before = pods_of(site, MANAGER, "ampere-1")
        container = site.fleet.call("get", path)["spec"]["template"]["spec"]["containers"][0]
        site.fleet.call("patch", path, {"spec": {"template": {"spec": {"containers": [{**container, "env": env}]}}}})
        site.eventually(lambda: pods_of(site, MANAGER, "ampere-1") - before, "the manager is a new one")

    become(environment)
    site.fleet.inject("ampere-1", Fault.MODE_CHANGE_NEEDS_REBOOT)
    boot = site.node("ampere-1")["status"]["nodeInfo"]["bootID"]
    site.assign("ampere-1", "dense")
    site.eventually(lambda: site.state("ampere-1") == "rebooting", "it says what it does")
    site.settled("ampere-1", "dense")
    assert site.node("ampere-1")["status"]["nodeInfo"]["bootID"] != boot
    assert counts(site, "ampere-1") == [{"1g.10gb": 7}] * 2
    become(environment[:1])


def test_an_upgrade_replaces_every_manager(site):
    nodes = site.fleet.node_names()
    before = {node: pods_of(site, MANAGER, node) for node in nodes}
    site.fleet.roll(NAMESPACE, MANAGER)
    for node in nodes:
        site.eventually(lambda node=node: pods_of(site, MANAGER, node) - before[node], "each node has a new one")


def test_a_machine_joins_serves_leaves_and_comes_back_as_another(site):
    fleet = site.fleet
    fleet.join_node({"name": "late-1", "gpu": "H100-80GB", "gpus": 1})
    assert "late-1" in fleet.node_names()
    site.settled("late-1", labels.ALL_DISABLED)
    site.assign("late-1", "dense")
    site.settled("late-1", "dense")
    uid = site.node("late-1")["metadata"]["uid"]
    with pytest.raises(FleetFileError, match="nodes named twice: late-1"):
        fleet.join_node({"name": "late-1", "gpu": "H100-80GB"})
    fleet.remove_node("late-1")
    assert "late-1" not in fleet.node_names()
    with pytest.raises(UnknownNode, match="there is: hopper-1, hopper-2, ampere-1"):
        fleet.remove_node("late-1")
    fleet.join_node({"name": "late-1", "gpu": "A100-80GB", "gpus": 2})
    site.settled("late-1", labels.ALL_DISABLED)
    assert site.node("late-1")["metadata"]["uid"] != uid
    assert counts(site, "late-1") == [None, None]
    fleet.remove_node("late-1")
    site.eventually(lambda: not site.pods(MANAGER, "late-1"), "its pods are gone")
