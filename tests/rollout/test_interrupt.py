"""One interrupt ends every wait within a second, undoes what can be undone, and names what stays isolated."""

from collections.abc import Callable

import pytest

from mig_fleet.cluster.errors import ClusterUnreachable
from mig_fleet.model import labels
from mig_fleet.model.reported_slices import by_node
from mig_fleet.rollout import engine_run
from mig_fleet.rollout.assign import AssignmentFailed
from mig_fleet.rollout.verify import VerificationFailed
from tests.memory.fleet import DENSE, FAILS, STAYS_PENDING, WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, outputs, roll_out

AFTER_S = 20.0
"""When the user interrupts, long before the wave's timeout."""
VERIFIED = {"n1": "GPU 0-1: 7x 1g.10gb"}


def interrupt_later(fleet: Fleet) -> None:
    fleet.clock.after(AFTER_S, engine_run.interrupt)


def assignment_failure(wave: Props) -> str:
    with pytest.raises(AssignmentFailed) as failed:
        ASSIGNMENT.create(wave)
    return str(failed.value)


def verification_failure(wave: Props) -> str:
    with pytest.raises(VerificationFailed) as failed:
        VERIFICATION.create(wave)
    return str(failed.value)


def run_pod(fleet: Fleet) -> None:
    fleet.pod("web", "n1")


def never_project_the_file(fleet: Fleet) -> None:
    fleet.write_layout_file(WIDE)


def leave_pending(fleet: Fleet) -> None:
    fleet.label("n1", labels.STATE, "pending")


# Before the label


def test_a_wait_for_mig_manager_comes_before_anything_is_changed(fleet: Fleet) -> None:
    leave_pending(fleet)
    interrupt_later(fleet)
    text = assignment_failure(a_wave("n1", on_user_pods="wait"))
    assert text.startswith("nothing was changed: interrupted after ")
    assert fleet.isolated() == []
    assert fleet.clock.slept < AFTER_S + 2


@pytest.mark.parametrize("wait", [run_pod, never_project_the_file])
def test_a_wait_before_the_label_ends_and_scheduling_is_restored(fleet: Fleet, wait: Callable[[Fleet], None]) -> None:
    wait(fleet)
    interrupt_later(fleet)
    text = assignment_failure(a_wave("n1", on_user_pods="wait"))
    assert text.startswith("no node was relabelled: interrupted after ")
    assert "; at that moment: waits for " in text
    assert text.endswith("\nscheduling restored: n1")
    assert fleet.isolated() == []
    assert fleet.configs()["n1"] == labels.ALL_DISABLED
    assert fleet.clock.slept < AFTER_S + 2


def test_an_interrupt_right_before_the_label_writes_none(fleet: Fleet) -> None:
    fleet.before_request("GET", "/nodes$", engine_run.interrupt, skip=2)
    assert "interrupted after 0 s" in assignment_failure(a_wave("n1"))
    assert fleet.written_configs() == []
    assert fleet.isolated() == []


def test_a_node_that_was_isolated_before_stays_so_and_is_named(fleet: Fleet) -> None:
    fleet.taint("n1", labels.TAINT)
    fleet.pod("web", "n1")
    interrupt_later(fleet)
    text = assignment_failure(a_wave("n1", on_user_pods="wait"))
    assert "still isolated as before: n1; restore scheduling with `kubectl taint nodes n1" in text


# After the label


def test_the_wait_for_convergence_ends_and_the_isolated_node_is_named_with_the_command(fleet: Fleet) -> None:
    fleet.manager_outcomes["n1"] = [STAYS_PENDING]
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    interrupt_later(fleet)
    assert verification_failure(wave).splitlines() == [
        "interrupted after 20 s; at that moment: 0 of 1 nodes verified; n1: MIG Manager's state is 'pending'",
        f"Still isolated: n1 (labelled {DENSE.config_name}; NVML last showed GPU 0-1: MIG off). Once the cause is "
        "fixed, run `pulumi up` again; to restore scheduling without another update: `kubectl taint nodes n1 "
        "mig-fleet.dev/reconfiguring-`",
    ]
    assert fleet.clock.slept < AFTER_S + 2


def test_the_soak_time_ends_and_the_isolated_node_is_named(fleet: Fleet) -> None:
    wave = a_wave("n1", soak_seconds=300)
    ASSIGNMENT.create(wave)
    interrupt_later(fleet)
    text = verification_failure(wave)
    assert "at that moment: as declared; watched for 300 s" in text
    assert f"Still isolated: n1 (labelled {DENSE.config_name}; NVML shows GPU 0-1: 7x 1g.10gb)" in text
    assert fleet.clock.slept < AFTER_S + 2


def test_an_interrupted_wave_is_not_rolled_back(fleet: Fleet) -> None:
    roll_out(a_wave("n1"))
    fleet.manager_outcomes["n1"] = [STAYS_PENDING]
    wave = a_wave("n1", layout=WIDE, on_failure="rollback")
    fleet.write_layout_file(DENSE, WIDE)
    ASSIGNMENT.create(wave)
    interrupt_later(fleet)
    text = verification_failure(wave)
    assert "roll" not in text
    assert fleet.configs()["n1"] == WIDE.config_name


def test_a_rollback_can_be_interrupted_too(fleet: Fleet) -> None:
    fleet.write_layout_file(DENSE, WIDE)
    roll_out(a_wave("n1"))
    fleet.manager_outcomes["n1"] = [FAILS, STAYS_PENDING]
    wave = a_wave("n1", layout=WIDE, on_failure="rollback", recovery=False)
    ASSIGNMENT.create(wave)
    interrupt_later(fleet)
    text = verification_failure(wave)
    assert "The wave could not be rolled back: interrupted after " in text
    assert "Still isolated: n1 (labelled " in text


def test_a_wait_for_an_unreachable_api_server_ends(fleet: Fleet) -> None:
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    interrupt_later(fleet)
    fleet.fail_requests("GET", "/nodes$", ClusterUnreachable("the cluster does not answer"), times=10_000)
    text = verification_failure(wave)
    assert text.startswith("interrupted after ")
    assert text.endswith("n1 may still be isolated; run the update again once the cluster answers.")
    assert fleet.clock.slept < AFTER_S + 2


def test_the_release_of_a_wave_ends_and_the_isolated_node_is_named(fleet: Fleet) -> None:
    wave = a_wave("n1", on_delete="disable")
    roll_out(wave)
    started = fleet.clock.slept
    fleet.manager_outcomes["n1"] = [STAYS_PENDING]
    interrupt_later(fleet)
    with pytest.raises(AssignmentFailed, match=r"interrupted after .*\nstill isolated: n1; restore scheduling with"):
        ASSIGNMENT.delete("pool-wave-0", wave)
    assert fleet.clock.slept - started < AFTER_S + 2


# The second interrupt, and the next update


def test_the_command_is_printed_when_a_node_is_isolated_because_a_killed_update_prints_nothing(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    ASSIGNMENT.create(a_wave("n1", "n2"))
    line = "isolated n1, n2; to restore scheduling by hand: `kubectl taint nodes n1 n2 mig-fleet.dev/reconfiguring-`"
    assert f"pool-wave-0: {line}" in capsys.readouterr().out.splitlines()


def test_a_cordon_of_another_user_is_not_named_as_ours(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    fleet.cordon("n2")
    ASSIGNMENT.create(a_wave("n1", "n2", isolation="cordon"))
    line = "pool-wave-0: isolated n1; to restore scheduling by hand: `kubectl uncordon n1`"
    assert line in capsys.readouterr().out.splitlines()


def test_the_next_update_finishes_what_was_interrupted(fleet: Fleet) -> None:
    fleet.manager_outcomes["n1"] = [STAYS_PENDING]
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    interrupt_later(fleet)
    verification_failure(wave)
    engine_run.begin()
    fleet.manager_outcomes.clear()
    fleet.start_operand("n1", "nvidia-mig-manager")
    ASSIGNMENT.update("pool-wave-0", wave, wave)
    assert by_node(outputs(VERIFICATION.create(wave))) == VERIFIED
    assert fleet.isolated() == []


def test_an_update_whose_nodes_are_as_declared_by_then_succeeds_despite_the_interrupt(fleet: Fleet) -> None:
    wave = a_wave("n1")
    ASSIGNMENT.create(wave)
    fleet.clock.sleep(30)
    engine_run.interrupt()
    assert by_node(outputs(VERIFICATION.create(wave))) == VERIFIED
    assert fleet.isolated() == []
