"""What is done for a node that went wrong: one remedy, once, one node at a time, never under a user's feet."""

import pytest

from mig_fleet.cluster.errors import ClusterError
from mig_fleet.model import labels
from mig_fleet.rollout.recovery import ALONE_S, STALE_S, UNHEARD_S
from mig_fleet.rollout.verify import VerificationFailed
from tests.memory.api import MemoryCluster
from tests.memory.fleet import CREATES_NOTHING, DENSE, FAILS, LOSES_ONE, MANAGER, PLUGIN, STAYS_PENDING, SUCCEEDS, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, roll_out

WRONG = {
    FAILS: "MIG Manager failed",
    CREATES_NOTHING: "layout lost",
    LOSES_ONE: "slice destroyed",
}


def failure(wave: Props) -> str:
    with pytest.raises(VerificationFailed) as failed:
        VERIFICATION.create(wave)
    return str(failed.value)


def pause(fleet: Fleet, node: str) -> None:
    """As MIG Manager leaves a node that it gave up on half-way."""
    fleet.label(node, f"{labels.DEPLOY_PREFIX}device-plugin", labels.PAUSED)


@pytest.mark.parametrize("outcome", sorted(WRONG))
def test_a_node_that_went_wrong_is_started_over_once_and_that_is_recorded(fleet: Fleet, outcome: str) -> None:
    fleet.manager["n1"] = [outcome, SUCCEEDS]
    outs = roll_out(a_wave("n1", "n2"))
    assert fleet.started_over() == [f"{MANAGER} on n1"]
    assert outs["recovered"] == [f"n1: MIG Manager was started over ({WRONG[outcome]})"]
    assert outs["counted"]["n1"] == "GPU 0-1: 7x 1g.10gb"
    assert fleet.marks("n1")["attempt"] == "2", "a report from before the remedy proves nothing"
    assert fleet.labelled() == [("n1", DENSE.config_name), ("n2", DENSE.config_name)], "the config stayed what it was"


@pytest.mark.parametrize("outcome", sorted(WRONG))
def test_a_remedy_that_does_not_help_is_the_last_one(fleet: Fleet, outcome: str) -> None:
    fleet.manager["n1"] = [outcome]
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    text = failure(wave)
    assert fleet.started_over() == [f"{MANAGER} on n1"]
    assert f"  {WRONG[outcome]}: n1: " in text
    assert "\n  n1: MIG Manager was started over\n" in text
    assert fleet.clock.slept < 30, "nobody waits for the deadline"


def test_the_whole_text_of_a_node_that_failed_twice(fleet: Fleet) -> None:
    fleet.manager["n1"] = [FAILS]
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    assert failure(wave).splitlines() == [
        "1 of 1 nodes of pool-wave-0 are not as the stack says:",
        f"  MIG Manager failed: n1: could not apply '{DENSE.config_name}'",
        "  n1: MIG Manager was started over",
        "  waited 11 s of at most 600 s",
        "Look at MIG Manager's log: kubectl -n gpu-operator logs $(kubectl -n gpu-operator get pods -o name -l "
        "app=nvidia-mig-manager --field-selector spec.nodeName=n1)",
        f"Still closed to new pods, with config {DENSE.config_name}: n1. Once the cause is gone, run `pulumi up` "
        "again; to open them as they are: `kubectl taint nodes n1 mig-fleet.dev/reconfiguring-`",
    ]


def test_nodes_are_helped_one_at_a_time(fleet: Fleet) -> None:
    fleet.manager |= {"n1": [FAILS, SUCCEEDS], "n2": [FAILS, SUCCEEDS]}
    seen: list[str] = []
    fleet.meanwhile("DELETE", f"{MANAGER}--n2", lambda: seen.append(fleet.state("n1")))
    outs = roll_out(a_wave("n1", "n2"))
    assert fleet.started_over() == [f"{MANAGER} on n1", f"{MANAGER} on n2"]
    assert seen == ["success"], "the first was well again before the second was touched"
    assert len(outs["recovered"]) == 2


def test_after_a_remedy_that_did_not_help_no_other_node_is_touched(fleet: Fleet) -> None:
    fleet.manager |= {"n1": [FAILS], "n2": [FAILS]}
    wave = a_wave("n1", "n2")
    ASSIGNMENT.create(wave)
    failure(wave)
    assert fleet.started_over() == [f"{MANAGER} on n1"]


def test_where_recovery_is_declined_nothing_is_started_over(fleet: Fleet) -> None:
    fleet.manager["n1"] = [FAILS]
    wave = a_wave("n1", recovery=False)
    ASSIGNMENT.create(wave)
    text = failure(wave)
    assert fleet.started_over() == []
    assert "started over" not in text


def test_a_node_whose_slices_are_in_use_is_left_alone_and_the_pods_are_named(fleet: Fleet) -> None:
    fleet.manager["n1"] = [FAILS]
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    fleet.pod("web", "n1")
    text = failure(wave)
    assert (
        "\n  n1: nothing was started over, because team/web (Deployment web) holds 1x mig-1g.10gb; move them away, "
        "then run the update again\n"
    ) in text
    assert fleet.started_over() == []


def test_a_remedy_without_a_pod_to_start_over_names_the_daemon_set(fleet: Fleet) -> None:
    fleet.manager["n1"] = [FAILS]
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    fleet.pods = {key: pod for key, pod in fleet.pods.items() if not key[1].startswith(MANAGER)}
    assert (
        "n1: no pod of nvidia-mig-manager runs there; see `kubectl -n gpu-operator get daemonset nvidia-mig-manager`"
    ) in failure(wave)


def test_a_pending_that_lasts_too_long_gets_its_operands_back_and_a_new_manager(fleet: Fleet) -> None:
    fleet.manager["n1"] = [STAYS_PENDING, SUCCEEDS]
    wave = a_wave("n1", wedged_s=300.0)
    ASSIGNMENT.create(wave)
    pause(fleet, "n1")
    outs = VERIFICATION.create(wave).outs
    assert outs["recovered"] == ["n1: paused operands were let back and MIG Manager was started over (not settled)"]
    assert fleet.nodes["n1"]["metadata"]["labels"][f"{labels.DEPLOY_PREFIX}device-plugin"] == "true"
    assert 300 <= fleet.clock.slept < 320


def test_a_pending_that_is_not_too_old_is_work(fleet: Fleet) -> None:
    fleet.manager["n1"] = [STAYS_PENDING]
    wave = a_wave("n1", wedged_s=3600.0)
    ASSIGNMENT.create(wave)
    failure(wave)
    assert fleet.started_over() == []


def test_a_switched_off_operand_is_not_switched_on_with_the_paused_ones(fleet: Fleet) -> None:
    fleet.manager["n1"] = [STAYS_PENDING, SUCCEEDS]
    fleet.label("n1", f"{labels.DEPLOY_PREFIX}dcgm", "false")
    wave = a_wave("n1", wedged_s=100.0)
    ASSIGNMENT.create(wave)
    pause(fleet, "n1")
    VERIFICATION.create(wave)
    assert fleet.nodes["n1"]["metadata"]["labels"][f"{labels.DEPLOY_PREFIX}dcgm"] == "false"


def test_slices_that_the_kubelet_does_not_offer_get_a_new_device_plugin(fleet: Fleet) -> None:
    fleet.stale_plugin.add("n1")
    outs = roll_out(a_wave("n1", "n2"))
    assert outs["recovered"] == ["n1: the device plugin was started over (allocatable stale)"]
    assert fleet.started_over() == [f"{PLUGIN} on n1"]
    assert fleet.marks("n1")["attempt"] == "1", "the GPUs were not touched"
    assert fleet.clock.slept >= STALE_S


def test_a_device_plugin_that_is_only_slow_is_left_alone(fleet: Fleet) -> None:
    fleet.stale_plugin.add("n1")
    fleet.clock.after(STALE_S - 2, lambda: fleet.register("n1"))
    assert roll_out(a_wave("n1"))["recovered"] == []


def test_being_slow_twice_is_not_being_stuck_once(fleet: Fleet) -> None:
    """Between the two it was well: the second time counts from its own beginning."""
    wave = a_wave("n1", "n2", timeout_s=6000.0)
    fleet.manager["n2"] = [STAYS_PENDING]
    fleet.stale_plugin.add("n1")
    ASSIGNMENT.create(wave)

    def stale_again() -> None:
        fleet.nodes["n1"]["status"]["allocatable"] = {}

    fleet.clock.after(15, lambda: fleet.register("n1"))
    fleet.clock.after(100, stale_again)
    fleet.clock.after(110, lambda: fleet.register("n1"))
    fleet.clock.after(120, lambda: (fleet.label("n2", labels.STATE, "success"), fleet.cut("n2", fleet.cuts["n1"])))
    assert VERIFICATION.create(wave).outs["recovered"] == []


def test_drift_is_healed_with_a_remedy_too(fleet: Fleet) -> None:
    wave = a_wave("n1")
    roll_out(wave)
    fleet.cut("n1", [{"1g.10gb": 7}, {"1g.10gb": 6}])
    outs = VERIFICATION.update("pool-wave-0", wave, wave).outs
    assert outs["recovered"] == ["n1: MIG Manager was started over (slice destroyed)"]
    assert fleet.cuts["n1"] == [{"1g.10gb": 7}, {"1g.10gb": 7}]


def test_no_pod_can_come_between_the_look_for_pods_and_the_remedy(fleet: Fleet) -> None:
    wave = a_wave("n1")
    roll_out(wave)
    fleet.cut("n1", [{"1g.10gb": 7}, {"1g.10gb": 6}])
    closed: list[list[str]] = []
    fleet.meanwhile("DELETE", f"{MANAGER}--n1", lambda: closed.append(fleet.closed()))
    VERIFICATION.update("pool-wave-0", wave, wave)
    assert closed == [["n1"]]
    assert fleet.closed() == [], "the update that healed it opened it"


def test_a_pod_that_came_before_the_node_was_closed_forbids_the_remedy_and_the_node_is_open_again(fleet: Fleet) -> None:
    wave = a_wave("n1")
    roll_out(wave)
    fleet.cut("n1", [{"1g.10gb": 7}, {"1g.10gb": 6}])
    fleet.meanwhile("PATCH", "nodes/n1$", lambda: fleet.pod("web", "n1"))
    assert "  n1: nothing was started over, because team/web" in failure(wave)
    assert fleet.started_over() == []
    assert fleet.closed() == []


def test_a_manager_that_is_being_scheduled_gets_its_time(fleet: Fleet) -> None:
    fleet.manager["n1"] = [FAILS, SUCCEEDS]
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    gone = next(key for key, pod in fleet.pods.items() if key[1].startswith(f"{MANAGER}--n1"))
    pod = fleet.pods.pop(gone)
    fleet.clock.after(ALONE_S - 5, lambda: fleet.pods.update({gone: pod}))
    assert VERIFICATION.create(wave).outs["recovered"] == ["n1: MIG Manager was started over (MIG Manager failed)"]


def test_a_remedy_that_could_not_be_asked_for_is_tried_again(fleet: Fleet) -> None:
    fleet.manager["n1"] = [FAILS, SUCCEEDS]
    fleet.answer("DELETE", MANAGER, ClusterError("the server has a bad day"), times=3)
    outs = roll_out(a_wave("n1"))
    assert outs["recovered"] == ["n1: MIG Manager was started over (not settled)"]
    assert UNHEARD_S <= fleet.clock.slept < UNHEARD_S + 20


def test_an_update_that_died_between_the_two_writes_of_a_remedy_leaves_a_node_that_the_next_one_heals(
    fleet: Fleet,
) -> None:
    wave = a_wave("n1")
    roll_out(wave)
    MemoryCluster(fleet).start_attempt("n1", "1", {})
    assert VERIFICATION.check(wave, wave).inputs["drift"] == ["not settled: n1: MIG Manager's state is not set"]
    outs = VERIFICATION.update("pool-wave-0", wave, wave).outs
    assert outs["recovered"] == ["n1: MIG Manager was started over (not settled)"]
