"""A preview after a failed, killed or interrupted update names each node that is half done, and what comes next."""

from collections.abc import Callable

import pytest

from mig_fleet.cluster.errors import ClusterError, ClusterUnreachable
from mig_fleet.failures import CleanError
from mig_fleet.model import labels
from mig_fleet.observed.snapshot import Node, invalidate
from mig_fleet.rollout import engine_run
from mig_fleet.rollout.unfinished import abandoned_nodes
from tests.memory.fleet import DENSE, FAILS, LOSES_ONE, STAYS_PENDING, WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, roll_out

TAINTED = "isolated by taint mig-fleet.dev/reconfiguring"
BY_HAND = "`kubectl taint nodes n1 mig-fleet.dev/reconfiguring-` restores its scheduling by hand"
SHOWN_CHARACTERS = 150
"""Of a text in `pulumi preview --diff` (pkg v3.259.0 backend/display/object_diff.go)."""


def preview(wave: Props, olds: Props | None = None) -> list[str]:
    """What a preview in a process of its own names as unfinished."""
    engine_run.begin()
    invalidate()
    lines: list[str] = VERIFICATION.check(olds or {}, wave).inputs.get("unfinishedNodes", [])
    return lines


def fail(wave: Props) -> None:
    """An update whose first or second resource fails."""
    with pytest.raises(CleanError):
        roll_out(wave)


def test_a_planned_change_of_healthy_nodes_has_no_unfinished_ones(fleet: Fleet) -> None:
    fleet.write_layout_file(DENSE, WIDE)
    assert preview(a_wave("n1", "n2")) == []
    roll_out(a_wave("n1", "n2"))
    assert preview(a_wave("n1", "n2"), a_wave("n1", "n2")) == []
    assert preview(a_wave("n1", "n2", layout=WIDE), a_wave("n1", "n2")) == []


def test_nodes_that_carry_the_config_before_their_probes_run_are_not_unfinished(fleet: Fleet) -> None:
    """As in the first preview of a stack whose nodes were labelled by others."""
    roll_out(a_wave("n1"))
    fleet.remove_report("n1")
    assert preview(a_wave("n1")) == []


def test_a_node_that_starts_with_the_startup_taint_is_not_unfinished(fleet: Fleet) -> None:
    fleet.taint("n1", labels.STARTUP_TAINT)
    assert preview(a_wave("n1")) == []


def test_a_halted_wave_names_state_isolation_slices_next_step_and_command(fleet: Fleet) -> None:
    fleet.manager_outcomes["n1"] = [FAILS]
    fail(a_wave("n1"))
    assert preview(a_wave("n1")) == [
        f"n1: config {DENSE.config_name}, state 'failed', {TAINTED}",
        "n1: NVML still shows GPU 0-1: MIG off",
        "n1: the next update restarts MIG Manager there and verifies it",
        BY_HAND,
    ]


def test_without_recovery_the_next_update_needs_a_restart_by_hand(fleet: Fleet) -> None:
    fleet.manager_outcomes["n1"] = [FAILS]
    fail(a_wave("n1", recovery=False))
    next_step = "n1: the next update fails again, unless MIG Manager is restarted there by hand (recovery is off)"
    assert next_step in preview(a_wave("n1", recovery=False))


@pytest.mark.parametrize(
    ("outcome", "state", "next_step"),
    [
        (STAYS_PENDING, "state 'pending'", "waits for MIG Manager and verifies it"),
        (LOSES_ONE, "state 'success'", "restarts MIG Manager there and verifies it"),
    ],
)
def test_the_next_step_follows_from_the_state(fleet: Fleet, outcome: str, state: str, next_step: str) -> None:
    fleet.manager_outcomes["n1"] = [outcome]
    fail(a_wave("n1"))
    first, _, third, _ = preview(a_wave("n1"))
    assert first == f"n1: config {DENSE.config_name}, {state}, {TAINTED}"
    assert third == f"n1: the next update {next_step}"


def kill_after_label(fleet: Fleet) -> None:
    """The process is killed after the label is written: nothing else happens."""
    ASSIGNMENT.create(a_wave("n1"))


def kill_before_label(fleet: Fleet) -> None:
    fleet.taint("n1", labels.TAINT)


def kill_before_scheduling_is_restored(fleet: Fleet) -> None:
    roll_out(a_wave("n1"))
    fleet.taint("n1", labels.TAINT)


@pytest.mark.parametrize(
    ("kill", "state", "next_step"),
    [
        (kill_before_label, "config all-disabled, state 'success'", f"reconfigures it to {DENSE.config_name}"),
        (kill_after_label, f"config {DENSE.config_name}, no state yet", "waits for MIG Manager and verifies it"),
        (
            kill_before_scheduling_is_restored,
            f"config {DENSE.config_name}, state 'success'",
            "verifies it and restores its scheduling",
        ),
    ],
)
def test_a_killed_update_is_named_wherever_it_was_killed(
    fleet: Fleet, kill: Callable[[Fleet], None], state: str, next_step: str
) -> None:
    kill(fleet)
    first, second, third, last = preview(a_wave("n1"))
    assert first == f"n1: {state}, {TAINTED}"
    assert second.startswith("n1: NVML ")
    assert (third, last) == (f"n1: the next update {next_step}", BY_HAND)


def test_a_cordon_of_ours_is_undone_by_another_command(fleet: Fleet) -> None:
    ASSIGNMENT.create(a_wave("n1", isolation="cordon"))
    lines = preview(a_wave("n1", isolation="cordon"))
    assert lines[0].endswith("isolated by our cordon")
    assert lines[-1] == "`kubectl uncordon n1` restores its scheduling by hand"


def test_a_wave_that_failed_without_a_planned_change_is_named_too(fleet: Fleet) -> None:
    wave = a_wave("n1")
    roll_out(wave)
    fleet.manager_outcomes["n1"] = [FAILS]
    fleet.partition("n1", [{}, {}])
    with pytest.raises(CleanError):
        VERIFICATION.update("pool-wave-0", wave, wave)
    assert preview(wave, wave)[0].endswith(f"state 'failed', {TAINTED}")


def test_drift_that_no_update_left_is_not_called_unfinished(fleet: Fleet) -> None:
    wave = a_wave("n1")
    roll_out(wave)
    fleet.partition("n1", [{}, {}])
    assert preview(wave, wave) == []


def test_a_change_that_was_reverted_after_it_was_killed_names_nodes_that_failed_and_are_not_isolated(
    fleet: Fleet,
) -> None:
    """As after `git revert`: a user has restored the node's scheduling with the command that was printed."""
    before, wave = a_wave("n1", "n2"), a_wave("n1", "n2", layout=WIDE)
    roll_out(before)
    fleet.manager_outcomes["n1"] = [FAILS]
    ASSIGNMENT.update("pool-wave-0", before, wave)
    fleet.clock.sleep(30)
    for name in ("n1", "n2"):
        fleet.patch(name, {"spec": {"taints": None}})
    assert preview(before, before) == [
        f"n1: config {WIDE.config_name}, state 'failed', not isolated",
        "n1: NVML shows GPU 0-1: 7x 1g.10gb",
        f"n1: the next update reconfigures it to {DENSE.config_name}",
    ], "n2 has another config, which is drift alone"


def test_a_node_that_failed_under_its_declared_config_is_named_with_the_remedy(fleet: Fleet) -> None:
    wave = a_wave("n1")
    roll_out(wave)
    fleet.partition("n1", [{}, {}])
    fleet.label("n1", labels.STATE, "failed")
    fleet.report("n1")
    assert preview(wave, wave) == [
        f"n1: config {DENSE.config_name}, state 'failed', not isolated",
        "n1: NVML still shows GPU 0-1: no slices",
        "n1: the next update restarts MIG Manager there and verifies it",
    ]


def test_a_wave_that_waits_names_its_isolated_nodes(fleet: Fleet) -> None:
    fleet.taint("n1", labels.TAINT)
    next_step = "n1: the next update leaves it as it is: its wave waits for a later update"
    assert next_step in preview(a_wave("n1", held=True))


def test_a_preview_shows_each_line_in_full_also_for_nodes_with_long_names(fleet: Fleet) -> None:
    name = "ip-10-240-117-203.us-gov-west-1.compute.internal"
    fleet.add(name)
    wave = a_wave(name)
    ASSIGNMENT.create(wave)
    assert max(map(len, preview(wave))) <= SHOWN_CHARACTERS


def test_an_update_does_not_call_its_own_change_unfinished(fleet: Fleet) -> None:
    engine_run.begin()
    ASSIGNMENT.create(a_wave("n1"))
    assert "unfinishedNodes" not in VERIFICATION.check({}, a_wave("n1")).inputs


def test_it_is_never_stored_and_no_reason_for_an_update(fleet: Fleet) -> None:
    wave = a_wave("n1")
    outs = roll_out(wave)
    assert "unfinishedNodes" not in outs
    assert not VERIFICATION.diff("id", outs, {**wave, "unfinishedNodes": ["n1: …"]}).changes


def test_an_unreachable_cluster_is_reported_once(fleet: Fleet) -> None:
    error: ClusterError = ClusterUnreachable("the cluster does not answer")
    fleet.fail_requests("GET", "/nodes$", error, times=100)
    invalidate()
    found = VERIFICATION.check({}, {**a_wave("n1"), "held": True})
    assert "unfinishedNodes" not in found.inputs
    assert found.failures == []


def test_a_node_that_we_isolated_and_no_wave_owns_is_abandoned(a_node: Callable[..., Node]) -> None:
    ours = a_node(name="n1", taints=frozenset({labels.TAINT}))
    owned = a_node(name="n2", taints=frozenset({labels.TAINT}), annotations={labels.WAVE: "pool-wave-0"})
    started = a_node(name="n3", taints=frozenset({labels.STARTUP_TAINT}))
    assert abandoned_nodes([owned, ours, started]) == [f"n1: {TAINTED}, and no wave owns it any more", BY_HAND]
