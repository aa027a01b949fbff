"""A node that went wrong gets one remedy per update, one node at a time, never while users' pods hold its slices."""

import pytest

from mig_fleet.cluster.errors import ClusterError
from mig_fleet.model import labels
from mig_fleet.model.reported_slices import by_node
from mig_fleet.observed.snapshot import invalidate, observe
from mig_fleet.rollout.reconfigure import start_attempt
from mig_fleet.rollout.recovery import NO_POD_S, NO_STATE_S, STALE_ALLOCATABLE_S
from mig_fleet.rollout.verify import VerificationFailed
from tests.memory.api import MemoryCluster
from tests.memory.fleet import (
    CREATES_NOTHING,
    DENSE,
    FAILS,
    LOSES_ONE,
    MANAGER,
    PLUGIN,
    PROBES,
    STAYS_PENDING,
    SUCCEEDS,
    Fleet,
)
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, outputs, roll_out

DRIFT_OF = {
    FAILS: "MIG Manager failed",
    CREATES_NOTHING: "layout lost",
    LOSES_ONE: "slice missing",
}
EACH_OUTCOME = pytest.mark.parametrize("outcome", sorted(DRIFT_OF))
PAUSED_OPERAND = f"{labels.DEPLOY_PREFIX}device-plugin"


def failure(wave: Props) -> str:
    with pytest.raises(VerificationFailed) as failed:
        VERIFICATION.create(wave)
    return str(failed.value)


def remedies(wave: Props) -> list[str]:
    """Verify a wave that is assigned; returns the remedies that were used."""
    used: list[str] = outputs(VERIFICATION.update("pool-wave-0", wave, wave))["remedies"]
    return used


@pytest.fixture
def with_missing_slice(fleet: Fleet) -> Props:
    """A wave that was rolled out, and whose node n1 lost a slice since."""
    wave = a_wave("n1")
    roll_out(wave)
    fleet.partition("n1", [{"1g.10gb": 7}, {"1g.10gb": 6}])
    return wave


# A restart of MIG Manager


@EACH_OUTCOME
def test_a_node_that_went_wrong_is_recovered_by_one_restart_of_mig_manager_and_the_output_names_it(
    fleet: Fleet, outcome: str
) -> None:
    fleet.manager_outcomes["n1"] = [outcome, SUCCEEDS]
    outs = roll_out(a_wave("n1", "n2"))
    assert fleet.restarted_pods() == [f"{MANAGER} on n1"]
    assert outs["remedies"] == [f"n1: restarted MIG Manager ({DRIFT_OF[outcome]})"]
    assert by_node(outs)["n1"] == "GPU 0-1: 7x 1g.10gb"
    assert fleet.ownership_annotations("n1")["attempt"] == "2", "a report from before the remedy is stale"
    assert fleet.written_configs() == [("n1", DENSE.config_name), ("n2", DENSE.config_name)], "the config is unchanged"


@EACH_OUTCOME
def test_if_the_remedy_fails_no_other_is_tried(fleet: Fleet, outcome: str) -> None:
    fleet.manager_outcomes["n1"] = [outcome]
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    text = failure(wave)
    assert fleet.restarted_pods() == [f"{MANAGER} on n1"]
    assert f"  {DRIFT_OF[outcome]}: n1: " in text
    assert "\n  n1: restarted MIG Manager\n" in text
    assert fleet.clock.slept < 30, "long before the timeout"


def test_the_whole_error_of_a_node_whose_remedy_failed(fleet: Fleet) -> None:
    fleet.manager_outcomes["n1"] = [FAILS]
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    assert failure(wave).splitlines() == [
        "1 of 1 nodes of pool-wave-0 are not as the stack declares:",
        f"  MIG Manager failed: n1: could not apply '{DENSE.config_name}'",
        "  n1: restarted MIG Manager",
        "  waited 11 s of at most 600 s",
        "Look at MIG Manager's log: kubectl -n gpu-operator logs $(kubectl -n gpu-operator get pods -o name -l "
        "app=nvidia-mig-manager --field-selector spec.nodeName=n1)",
        f"Still isolated: n1 (labelled {DENSE.config_name}; NVML still shows GPU 0-1: MIG off). Once the cause is "
        "fixed, run `pulumi up` again; to restore scheduling without another update: `kubectl taint nodes n1 "
        "mig-fleet.dev/reconfiguring-`",
    ]


def test_drift_is_recovered_too(fleet: Fleet, with_missing_slice: Props) -> None:
    assert remedies(with_missing_slice) == ["n1: restarted MIG Manager (slice missing)"]
    assert fleet.per_gpu["n1"] == [{"1g.10gb": 7}, {"1g.10gb": 7}]


# One node at a time


def test_nodes_are_recovered_one_after_the_other(fleet: Fleet) -> None:
    fleet.manager_outcomes |= {"n1": [FAILS, SUCCEEDS], "n2": [FAILS, SUCCEEDS]}
    states: list[str] = []
    fleet.before_request("DELETE", f"{MANAGER}--n2", lambda: states.append(fleet.state("n1")))
    outs = roll_out(a_wave("n1", "n2"))
    assert fleet.restarted_pods() == [f"{MANAGER} on n1", f"{MANAGER} on n2"]
    assert states == ["success"], "n1 had recovered before the remedy for n2"
    assert len(outs["remedies"]) == 2


def test_after_a_remedy_that_failed_no_other_node_is_recovered(fleet: Fleet) -> None:
    fleet.manager_outcomes |= {"n1": [FAILS], "n2": [FAILS]}
    wave = a_wave("n1", "n2")
    ASSIGNMENT.create(wave)
    failure(wave)
    assert fleet.restarted_pods() == [f"{MANAGER} on n1"]


# When nothing is restarted


def test_with_recovery_off_nothing_is_restarted(fleet: Fleet) -> None:
    fleet.manager_outcomes["n1"] = [FAILS]
    wave = a_wave("n1", recovery=False)
    ASSIGNMENT.create(wave)
    text = failure(wave)
    assert fleet.restarted_pods() == []
    assert "restarted" not in text


def test_a_node_whose_slices_are_in_use_is_not_recovered_and_the_pods_are_named(fleet: Fleet) -> None:
    fleet.manager_outcomes["n1"] = [FAILS]
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    fleet.pod("web", "n1")
    assert (
        "\n  n1: nothing was restarted, because team/web (Deployment web) holds 1x mig-1g.10gb; move them away, then "
        "run the update again\n"
    ) in failure(wave)
    assert fleet.restarted_pods() == []


def test_a_remedy_without_a_pod_to_restart_names_the_daemon_set(fleet: Fleet) -> None:
    fleet.manager_outcomes["n1"] = [FAILS]
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    del fleet.pods[fleet.operand("n1", MANAGER)]
    assert (
        "n1: no pod of nvidia-mig-manager runs there; see `kubectl -n gpu-operator get daemonset nvidia-mig-manager`"
    ) in failure(wave)


def test_a_manager_pod_that_is_being_replaced_gets_time(fleet: Fleet) -> None:
    fleet.manager_outcomes["n1"] = [FAILS, SUCCEEDS]
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    key = fleet.operand("n1", MANAGER)
    pod = fleet.pods.pop(key)
    fleet.clock.after(NO_POD_S - 5, lambda: fleet.pods.update({key: pod}))
    assert remedies(wave) == ["n1: restarted MIG Manager (MIG Manager failed)"]


# Isolation during a remedy


def test_a_node_is_isolated_before_its_remedy_and_schedulable_after_the_verification(
    fleet: Fleet, with_missing_slice: Props
) -> None:
    isolated: list[list[str]] = []
    fleet.before_request("DELETE", f"{MANAGER}--n1", lambda: isolated.append(fleet.isolated()))
    remedies(with_missing_slice)
    assert isolated == [["n1"]]
    assert fleet.isolated() == []


def test_a_pod_that_starts_before_the_isolation_prevents_the_remedy_and_scheduling_is_restored(
    fleet: Fleet, with_missing_slice: Props
) -> None:
    fleet.before_request("PATCH", "nodes/n1$", lambda: fleet.pod("web", "n1"))
    assert "  n1: nothing was restarted, because team/web" in failure(with_missing_slice)
    assert fleet.restarted_pods() == []
    assert fleet.isolated() == []


# A state that stays pending


def test_a_stuck_pending_state_is_recovered_by_restoring_the_operands_and_restarting_mig_manager(fleet: Fleet) -> None:
    fleet.manager_outcomes["n1"] = [STAYS_PENDING, SUCCEEDS]
    wave = a_wave("n1", stuck_after_seconds=300.0)
    ASSIGNMENT.create(wave)
    fleet.label("n1", PAUSED_OPERAND, labels.PAUSED)
    assert remedies(wave) == ["n1: restored the paused operands and restarted MIG Manager (not reconciled)"]
    assert fleet.nodes["n1"]["metadata"]["labels"][PAUSED_OPERAND] == "true"
    assert 300 <= fleet.clock.slept < 320


def test_a_pending_state_that_is_not_stuck_yet_is_not_recovered(fleet: Fleet) -> None:
    fleet.manager_outcomes["n1"] = [STAYS_PENDING]
    wave = a_wave("n1", stuck_after_seconds=3600.0)
    ASSIGNMENT.create(wave)
    failure(wave)
    assert fleet.restarted_pods() == []


def test_an_operand_that_is_turned_off_stays_off_when_the_paused_ones_are_restored(fleet: Fleet) -> None:
    fleet.manager_outcomes["n1"] = [STAYS_PENDING, SUCCEEDS]
    fleet.label("n1", f"{labels.DEPLOY_PREFIX}dcgm", "false")
    wave = a_wave("n1", stuck_after_seconds=100.0)
    ASSIGNMENT.create(wave)
    fleet.label("n1", PAUSED_OPERAND, labels.PAUSED)
    remedies(wave)
    assert fleet.nodes["n1"]["metadata"]["labels"][f"{labels.DEPLOY_PREFIX}dcgm"] == "false"


# Slices that the kubelet does not offer


def test_slices_that_the_kubelet_does_not_offer_are_recovered_by_a_restart_of_the_device_plugin(fleet: Fleet) -> None:
    fleet.stale_plugins.add("n1")
    outs = roll_out(a_wave("n1", "n2"))
    assert outs["remedies"] == ["n1: restarted the device plugin (allocatable stale)"]
    assert fleet.restarted_pods() == [f"{PLUGIN} on n1"]
    assert fleet.ownership_annotations("n1")["attempt"] == "1", "the GPUs were not reconfigured"
    assert fleet.clock.slept >= STALE_ALLOCATABLE_S


def test_a_device_plugin_that_registers_late_is_not_restarted(fleet: Fleet) -> None:
    fleet.stale_plugins.add("n1")
    fleet.clock.after(STALE_ALLOCATABLE_S - 2, lambda: fleet.register("n1"))
    assert roll_out(a_wave("n1"))["remedies"] == []


def test_a_difference_that_goes_away_and_returns_is_timed_from_its_return(fleet: Fleet) -> None:
    wave = a_wave("n1", "n2", timeout_seconds=6000.0)
    fleet.manager_outcomes["n2"] = [STAYS_PENDING]
    fleet.stale_plugins.add("n1")
    ASSIGNMENT.create(wave)

    def finish_n2() -> None:
        fleet.label("n2", labels.STATE, "success")
        fleet.partition("n2", fleet.per_gpu["n1"])

    fleet.clock.after(15, lambda: fleet.register("n1"))
    fleet.clock.after(100, lambda: fleet.nodes["n1"]["status"].update(allocatable={}))
    fleet.clock.after(110, lambda: fleet.register("n1"))
    fleet.clock.after(120, finish_n2)
    assert remedies(wave) == []


# A remedy that was interrupted


def test_a_remedy_whose_delete_fails_is_tried_again(fleet: Fleet) -> None:
    fleet.manager_outcomes["n1"] = [FAILS, SUCCEEDS]
    fleet.fail_requests("DELETE", MANAGER, ClusterError("the API server is unavailable"), times=3)
    outs = roll_out(a_wave("n1"))
    assert outs["remedies"] == ["n1: restarted MIG Manager (not reconciled)"]
    assert NO_STATE_S <= fleet.clock.slept < NO_STATE_S + 20


def test_an_update_that_was_killed_between_the_two_writes_of_a_remedy_is_completed_by_the_next_one(
    fleet: Fleet,
) -> None:
    wave = a_wave("n1")
    roll_out(wave)
    start_attempt(MemoryCluster(fleet), observe({}, PROBES, fresh=True).nodes["n1"], "n1", {})
    assert fleet.ownership_annotations("n1")["attempt"] == "2"
    invalidate()
    assert VERIFICATION.check(wave, wave).inputs["drift"] == ["not reconciled: n1: MIG Manager's state is not set"]
    assert remedies(wave) == ["n1: restarted MIG Manager (not reconciled)"]
