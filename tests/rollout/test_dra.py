"""Where NVIDIA's DRA driver publishes the slices, a change ends with a restart of its plugin, a node is verified by its
ResourceSlices, and pods with claims are users' pods like others.
"""

import pytest

from mig_fleet.model.allocated_by import DRA_NAMESPACE
from mig_fleet.model.reported_slices import by_node
from mig_fleet.model.strategy import Strategy
from mig_fleet.observed import snapshot
from mig_fleet.observed.operands import DRA_PLUGIN
from mig_fleet.rollout.assign import AssignmentFailed
from mig_fleet.rollout.verify import VerificationFailed
from tests.memory.dra_fleet import PLUGIN_POD, DraFleet, a_dra_wave
from tests.memory.fleet import WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, outputs, roll_out


def failure(wave: Props) -> str:
    with pytest.raises(VerificationFailed) as failed:
        VERIFICATION.create(wave)
    return str(failed.value)


def refusal(wave: Props) -> str:
    with pytest.raises(AssignmentFailed) as refused:
        ASSIGNMENT.create(wave)
    return str(refused.value)


def preview(wave: Props, olds: Props | None = None) -> tuple[Props, list[str]]:
    """The inputs and the failures of a preview of the assignment."""
    found = ASSIGNMENT.check(olds or {}, wave)
    return found.inputs, [failure.reason for failure in found.failures]


@pytest.mark.parametrize("recovery", [True, False], ids=["recovery", "no recovery"])
def test_each_change_ends_with_one_restart_of_the_drivers_plugin_also_without_recovery(
    dra: DraFleet, recovery: bool
) -> None:
    outs = roll_out(a_dra_wave("n1", "n2", recovery=recovery))
    assert sorted(dra.restarted_pods()) == [f"{PLUGIN_POD} on n1", f"{PLUGIN_POD} on n2"]
    text = "restarted the DRA driver's plugin (published devices stale)"
    assert outs["remedies"] == [f"n1: {text}", f"n2: {text}"]
    assert by_node(outs)["n1"] == "GPU 0-1: 7x 1g.10gb"
    assert [len(devices) for devices in dra.published.values()] == [14, 14]


def test_no_pod_may_come_to_a_node_before_its_devices_are_published(dra: DraFleet) -> None:
    cordoned: list[bool] = []
    dra.before_request("DELETE", "/pods/", lambda: cordoned.append(dra.is_cordoned("n1")))
    roll_out(a_dra_wave("n1"))
    assert cordoned == [True], "the plugin is restarted after the partitioning, and before scheduling is restored"
    assert not dra.is_cordoned("n1")


def test_a_wave_that_is_as_published_restarts_nothing(dra: DraFleet) -> None:
    wave = a_dra_wave("n1")
    roll_out(wave)
    dra.clear_requests()
    assert outputs(VERIFICATION.update("pool-wave-0", wave, wave))["remedies"] == []
    assert dra.restarted_pods() == []


def test_stale_devices_are_drift_of_a_preview_and_name_gpu_and_place(dra: DraFleet) -> None:
    wave = a_dra_wave("n1")
    roll_out(wave)
    dra.published["n1"] = dra.published["n1"][1:]
    snapshot.invalidate()
    found = VERIFICATION.check(wave, wave)
    assert found.inputs["drift"] == ["published devices stale: n1: GPU 0: 1g.10gb at memory slice 0 is not published"]


def test_without_a_pod_of_the_plugin_the_wave_fails_and_names_where_it_was_looked_for(dra: DraFleet) -> None:
    wave = a_dra_wave("n1")
    dra.stop_plugin("n1")
    ASSIGNMENT.create(wave)
    text = failure(wave)
    label = "=".join(DRA_PLUGIN)
    assert (
        f"\n  n1: no pod of the DRA driver's plugin runs there: operator.draNamespace is {DRA_NAMESPACE}, "
        f"its label is {label}\n"
    ) in text
    assert f"Look at the DRA driver's log: kubectl -n {DRA_NAMESPACE} logs $(kubectl -n {DRA_NAMESPACE}" in text


def test_a_plugin_that_was_missing_for_a_while_keeps_no_remedy_from_its_node(dra: DraFleet) -> None:
    wave = a_dra_wave("n1")
    roll_out(wave)
    dra.stop_plugin("n1")
    dra.published["n1"] = dra.published["n1"][1:]

    def come_back() -> None:
        dra.partition("n1", [{"1g.10gb": 7}, {"1g.10gb": 6}])
        dra.start_plugin("n1")

    dra.clock.after(20, come_back)
    outs = outputs(VERIFICATION.update("pool-wave-0", wave, wave))
    assert outs["remedies"][0] == "n1: restarted MIG Manager (slice missing)"


def test_an_operator_of_others_that_runs_the_device_plugin_is_an_obstacle(dra: DraFleet) -> None:
    wave = a_dra_wave("n1", operator_managed=False)
    dra.cluster_policies = [{"metadata": {"name": "it"}, "spec": {"devicePlugin": {"enabled": False}}}]
    assert preview(wave)[1] == []
    dra.cluster_policies = [{"metadata": {"name": "it"}, "spec": {}}]
    (text,) = preview(wave)[1]
    assert "the ClusterPolicy runs the device plugin, which would offer the slices that NVIDIA's DRA driver" in text
    assert "set the chart value devicePlugin.enabled to false, or operator.allocation: devicePlugin" in text


def test_a_pod_with_a_claim_is_not_moved_without_permission(dra: DraFleet) -> None:
    dra.claiming_pod("web", "n1", "gpu-0")
    text = refusal(a_dra_wave("n1"))
    assert "node 'n1' is in use: team/web (Deployment web) holds 1x gpu" in text
    assert dra.writes() == []


def test_a_pod_with_a_claim_is_evicted_if_the_pool_says_so(dra: DraFleet) -> None:
    dra.claiming_pod("web", "n1", "gpu-0")
    dra.claiming_pod("other", "n2", "gpu-1")
    roll_out(a_dra_wave("n1", on_user_pods="evict", on_stranded_pods="warn"))
    assert [name for namespace, name in dra.pods if namespace == "team"] == ["other"]


def test_a_pod_with_a_claim_on_another_gpu_stays(dra: DraFleet) -> None:
    wave = a_dra_wave("n1")
    roll_out(wave)
    dra.partition("n1", [{"1g.10gb": 7}, {"1g.10gb": 6}])
    dra.publish("n1")
    dra.claiming_pod("web", "n1", "gpu-0-mig-1g10gb-19-2")
    outs = outputs(VERIFICATION.update("pool-wave-0", wave, wave))
    assert outs["remedies"][0] == "n1: restarted MIG Manager (slice missing)", "the pod is on GPU 0"
    assert ("team", "web") in dra.pods


def test_a_preview_lists_claims_and_counts_published_devices(dra: DraFleet) -> None:
    wave = a_dra_wave("n1")
    roll_out(wave)
    dra.claiming_pod("web", "n1", "gpu-0-mig-1g10gb-19-2")
    snapshot.invalidate()
    inputs, failures = preview(a_dra_wave("n1", layout=WIDE), wave)
    assert failures == []
    assert inputs["podsLosingSlices"] == ["n1: team/web (Deployment web) holds 1x mig-1g.10gb"]
    assert inputs["capacityChanges"] == ["nvidia.com/mig-1g.10gb: 14 → 0", "nvidia.com/mig-3g.40gb: 0 → 4"]


def test_the_device_plugin_is_not_given_up_before_the_driver_publishes(dra: DraFleet) -> None:
    before = a_wave("n1", "n2")
    dra.published["n2"] = []
    _, failures = preview(a_dra_wave("n1", "n2"), before)
    assert len(failures) == 1
    assert "NVIDIA's DRA driver publishes no device of n2, and operator.allocation: dra switches" in failures[0]
    assert "install the driver's chart first (docs/how-to/claim-slices.md), or keep" in failures[0]
    dra.publish("n2")
    snapshot.invalidate()
    assert preview(a_dra_wave("n1", "n2"), before)[1] == []


def test_a_driver_that_partitions_gpus_itself_is_refused_in_the_preview(dra: DraFleet) -> None:
    dra.partition("n1", [{"1g.10gb": 7}, None])
    dra.publish("n1", consumesCounters=[{"counterSet": "gpu-0", "counters": {}}])
    _, failures = preview(a_dra_wave("n1", "n2"))
    assert len(failures) == 1
    assert "DynamicMIG on n1: their MIG devices consume counters" in failures[0]
    assert "set featureGates.DynamicMIG to false in its chart, or leave these nodes out of the stack" in failures[0]


def test_a_driver_that_partitions_gpus_itself_ends_a_wait_at_once(dra: DraFleet) -> None:
    wave = a_dra_wave("n1")
    roll_out(wave)
    dra.publish("n1", consumesCounters=[{"counterSet": "gpu-0", "counters": {}}])
    before = dra.clock.slept
    assert "  DynamicMIG: n1: NVIDIA's DRA driver runs with the feature gate DynamicMIG" in failure(wave)
    assert dra.clock.slept - before < 10


def test_a_device_plugin_beside_the_driver_is_named_and_not_restarted(dra: DraFleet) -> None:
    wave = a_dra_wave("n1")
    roll_out(wave)
    dra.clear_requests()
    dra.nodes["n1"]["status"]["allocatable"] = {"nvidia.com/mig-1g.10gb": "14"}
    text = failure(wave)
    assert "nvidia.com/mig-1g.10gb: the kubelet offers 14, and with DRA no device plugin may offer any" in text
    assert dra.restarted_pods() == []


def test_without_dra_neither_resource_slices_nor_claims_are_read(
    dra: DraFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dra, "register", lambda name: Fleet.register(dra, name))
    dra.change_strategy(Strategy.MIXED)
    wave = a_wave("n1")
    roll_out(wave)
    VERIFICATION.check(wave, wave)
    preview(a_wave("n1", layout=WIDE), wave)
    assert [path for _, path, _ in dra.requests if "resource.k8s.io" in path] == []
    assert "allocation" not in wave["expected"] and "draNamespace" not in wave, "existing states see no change"
