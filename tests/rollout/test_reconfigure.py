"""A node is isolated, drained, labelled, verified and schedulable again; a failure before the label changes nothing."""

import pytest

from mig_fleet.cluster.errors import ClusterError
from mig_fleet.model import labels
from mig_fleet.model.reported_slices import by_node
from mig_fleet.rollout.assign import AssignmentFailed
from mig_fleet.rollout.context import RETRY_S
from mig_fleet.rollout.drain import REPORT_WAIT_S
from mig_fleet.rollout.verify import VerificationFailed
from tests.memory.fleet import DENSE, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, a_wave, roll_out

UNAVAILABLE = ClusterError("the API server is unavailable")
LONGER_THAN_RETRIED = int(RETRY_S) + 2
"""Requests, one each second, that fail until the product gives up."""
RESTORE_N1 = "restore scheduling with `kubectl taint nodes n1 mig-fleet.dev/reconfiguring-`"


def assignment_failure(*nodes: str) -> str:
    with pytest.raises(AssignmentFailed) as failed:
        ASSIGNMENT.create(a_wave(*nodes))
    return str(failed.value)


# A rollout without failures


def test_a_wave_is_partitioned_verified_and_schedulable_again(fleet: Fleet) -> None:
    outs = roll_out(a_wave("n1", "n2"))
    assert by_node(outs) == {"n1": "GPU 0-1: 7x 1g.10gb", "n2": "GPU 0-1: 7x 1g.10gb"}
    assert outs["remedies"] == []
    assert fleet.configs() == {"n1": DENSE.config_name, "n2": DENSE.config_name}
    assert fleet.isolated() == []


def test_a_node_is_annotated_with_its_wave_its_previous_config_and_its_verified_config(fleet: Fleet) -> None:
    roll_out(a_wave("n1"))
    assert fleet.ownership_annotations("n1") == {
        "wave": "pool-wave-0",
        "previous-config": "all-disabled",
        "attempt": "1",
        "verified-config": DENSE.config_name,
    }


def test_a_node_outside_the_wave_is_not_written_to(fleet: Fleet) -> None:
    roll_out(a_wave("n1"))
    assert fleet.written_nodes() == {"n1"}


def test_a_node_stays_isolated_until_it_is_verified(fleet: Fleet) -> None:
    wave = a_wave("n1", "n2")
    ASSIGNMENT.create(wave)
    assert fleet.isolated() == ["n1", "n2"]
    VERIFICATION.create(wave)
    assert fleet.isolated() == []


def test_a_node_that_has_its_config_already_is_annotated_and_not_reconfigured(fleet: Fleet) -> None:
    fleet.add("n1", DENSE.config_name)
    ASSIGNMENT.create(a_wave("n1", "n2"))
    assert fleet.written_configs() == [("n2", DENSE.config_name)]
    assert fleet.isolated() == ["n2"]
    assert fleet.ownership_annotations("n1") == {"wave": "pool-wave-0", "previous-config": DENSE.config_name}


def test_an_update_of_a_wave_that_is_as_declared_writes_nothing(fleet: Fleet) -> None:
    wave = a_wave("n1", "n2")
    roll_out(wave)
    fleet.clear_requests()
    ASSIGNMENT.update("pool-wave-0", wave, wave)
    VERIFICATION.update("pool-wave-0", wave, wave)
    assert fleet.writes() == []


# Failures before the label


@pytest.mark.parametrize(
    ("method", "path", "skip", "reason"),
    [
        ("PATCH", "nodes/n2", 0, "n2 could not be annotated: "),
        ("PATCH", "nodes/n2", 1, "n2 could not be isolated: "),
        ("GET", "/pods$", 1, ""),
        ("GET", "/pods$", 2, ""),
        ("GET", "/nodes$", 2, ""),
        ("GET", "/nodes$", 3, ""),
    ],
    ids=["ownership", "isolation", "drain", "find MIG Manager", "wait for a pending state", "last snapshot"],
)
def test_a_failure_before_the_label_restores_scheduling_and_the_next_update_succeeds(
    fleet: Fleet, method: str, path: str, skip: int, reason: str
) -> None:
    fleet.fail_requests(method, path, UNAVAILABLE, 1 if method == "PATCH" else LONGER_THAN_RETRIED, skip)
    restored = "" if reason.endswith("annotated: ") else "\nscheduling restored: n1, n2"
    assert assignment_failure("n1", "n2") == (
        f"no node was relabelled: {reason}the API server is unavailable{restored}"
    )
    assert fleet.written_configs() == []
    assert fleet.isolated() == []
    roll_out(a_wave("n1", "n2"))
    assert fleet.isolated() == []


def test_a_node_whose_scheduling_could_not_be_restored_is_named_with_the_command(fleet: Fleet) -> None:
    fleet.fail_requests("GET", "/pods$", UNAVAILABLE, LONGER_THAN_RETRIED, skip=1)
    fleet.fail_requests("PATCH", "nodes/n1", ClusterError("still unavailable"), skip=2)
    assert assignment_failure("n1", "n2") == (
        f"no node was relabelled: the API server is unavailable\nstill isolated: n1; {RESTORE_N1}"
    )
    assert fleet.isolated() == ["n1"]


@pytest.mark.parametrize(
    ("nodes", "restored"),
    [(["n1"], []), (["n1", "n2"], ["scheduling restored: n2"])],
    ids=["all nodes", "one of two nodes"],
)
def test_a_node_that_was_isolated_before_stays_isolated_and_is_named_with_the_command(
    fleet: Fleet, nodes: list[str], restored: list[str]
) -> None:
    fleet.taint("n1", labels.TAINT)
    fleet.fail_requests("GET", "/pods$", UNAVAILABLE, LONGER_THAN_RETRIED, skip=1)
    assert assignment_failure(*nodes).splitlines() == [
        "no node was relabelled: the API server is unavailable",
        *restored,
        f"still isolated as before: n1; {RESTORE_N1}",
    ]
    assert fleet.isolated() == ["n1"]


def test_a_refused_change_names_the_nodes_that_were_isolated_before_with_the_command(fleet: Fleet) -> None:
    fleet.taint("n1", labels.STARTUP_TAINT)
    fleet.label("n2", labels.CAPABLE, "false")
    first, second, third = assignment_failure("n1", "n2").splitlines()
    assert first == "nothing was changed:"
    assert second.startswith("  node 'n2' is not MIG-capable")
    assert third == (
        "still isolated as before: n1; restore scheduling with `kubectl taint nodes n1 mig-fleet.dev/startup-`"
    )


@pytest.mark.parametrize(
    ("path", "skip"),
    [("/pods$", 1), ("/pods$", 2), ("/nodes$", 2), ("/nodes$", 3), ("/pods$", 3)],
    ids=["drain", "find MIG Manager", "wait for a pending state", "last snapshot", "last look at the pods"],
)
def test_one_failed_request_before_the_label_is_repeated_and_its_answer_is_printed(
    fleet: Fleet, path: str, skip: int, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.fail_requests("GET", path, UNAVAILABLE, skip=skip)
    ASSIGNMENT.create(a_wave("n1", "n2"))
    assert fleet.configs() == {"n1": DENSE.config_name, "n2": DENSE.config_name}
    assert "pool-wave-0: tries again: the API server is unavailable" in capsys.readouterr().out.splitlines()


# What others do to the nodes before the label


def test_a_taint_that_another_client_removes_is_put_back_and_the_pods_are_looked_at_again(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.pod("web", "n1")

    def remove_taint() -> None:
        fleet.patch("n1", {"spec": {"taints": None}})
        fleet.pod("late", "n1")

    fleet.clock.after(2, remove_taint)
    ASSIGNMENT.create(a_wave("n1", on_user_pods="evict"))
    assert fleet.written_configs() == [("n1", DENSE.config_name)]
    assert fleet.isolated() == ["n1"]
    assert ("team", "late") not in fleet.pods, "it started while nothing kept it off"
    assert "another client removed our taint before the label was written" in capsys.readouterr().out


def test_a_cordon_that_another_client_removes_is_put_back(fleet: Fleet) -> None:
    fleet.before_request("GET", "/nodes$", lambda: fleet.patch("n1", {"spec": {"unschedulable": None}}), skip=2)
    ASSIGNMENT.create(a_wave("n1", isolation="cordon"))
    assert fleet.is_cordoned("n1")


def test_a_cordon_that_another_user_takes_over_is_not_removed_isolation(fleet: Fleet) -> None:
    fleet.cordon("n1")
    ASSIGNMENT.create(a_wave("n1", isolation="cordon"))
    assert fleet.written_configs() == [("n1", DENSE.config_name)]


def test_a_taint_that_is_removed_again_and_again_refuses_the_change_with_the_command_that_shows_who(
    fleet: Fleet,
) -> None:
    fleet.before_request("GET", "/nodes$", lambda: fleet.patch("n1", {"spec": {"taints": None}}), times=50, skip=1)
    assert assignment_failure("n1") == (
        "no node was relabelled: n1: another client removed our taint before the label was written, twice; stop it "
        "first, `kubectl get node n1 --show-managed-fields -o yaml` shows who writes the node\nscheduling restored: n1"
    )
    assert fleet.written_configs() == []


def test_a_node_that_is_replaced_during_the_drain_is_named_and_its_startup_taint_stays(fleet: Fleet) -> None:
    fleet.pod("web", "n1")

    def replace() -> None:
        fleet.replace("n1")
        fleet.taint("n1", labels.STARTUP_TAINT)

    fleet.clock.after(2, replace)
    with pytest.raises(AssignmentFailed) as failed:
        ASSIGNMENT.create(a_wave("n1", "n2", on_user_pods="wait"))
    assert str(failed.value) == (
        "no node was relabelled: node 'n1' was replaced during the update: another node has its name now; run the "
        "update again\nscheduling restored: n2; no longer in the cluster: n1"
    )
    assert fleet.written_configs() == []
    assert fleet.taints("n1") == [labels.STARTUP_TAINT]


def test_a_node_that_is_replaced_right_before_its_label_is_not_labelled(fleet: Fleet) -> None:
    fleet.before_request("PATCH", "/nodes/n1$", lambda: fleet.replace("n1"), skip=2)
    text = assignment_failure("n1", "n2")
    assert "1 of 2 nodes could not be labelled:\n  n1: node 'n1' was replaced during the update" in text
    assert fleet.configs() == {"n1": labels.ALL_DISABLED, "n2": DENSE.config_name}


# Failures at the label and after it


def test_a_label_that_fails_on_one_node_reports_the_relabelled_and_the_isolated_nodes(fleet: Fleet) -> None:
    fleet.fail_requests("PATCH", "nodes/n2", UNAVAILABLE, skip=2)
    assert assignment_failure("n1", "n2") == (
        "1 of 2 nodes could not be labelled:\n  n2: the API server is unavailable\nrelabelled: n1\n"
        "still isolated: n1, n2; restore scheduling with `kubectl taint nodes n1 n2 mig-fleet.dev/reconfiguring-`\n"
        "Run the update again to continue"
    )
    assert fleet.isolated() == ["n1", "n2"]
    fleet.clear_requests()
    roll_out(a_wave("n1", "n2"))
    assert fleet.written_configs() == [("n2", DENSE.config_name)], "n1 has its config already"
    assert fleet.isolated() == []


def test_a_node_that_leaves_the_cluster_before_the_label_is_named_and_the_others_are_reported(fleet: Fleet) -> None:
    fleet.before_request("GET", "/nodes$", lambda: fleet.remove("n2"), skip=3)
    text = assignment_failure("n1", "n2")
    assert text.startswith(
        "1 of 2 nodes could not be labelled:\n  n2: node 'n2' is not in the cluster; check the pool's nodes"
    )
    assert "\nrelabelled: n1\n" in text


def test_an_annotation_that_fails_after_the_label_reports_the_nodes_that_are_isolated_by_then(fleet: Fleet) -> None:
    fleet.add("n1", DENSE.config_name)
    fleet.fail_requests("PATCH", "nodes/n1", UNAVAILABLE)
    assert assignment_failure("n1", "n2") == (
        "n1 could not be annotated: the API server is unavailable\nrelabelled and isolated: n2\n"
        "still isolated: n2; restore scheduling with `kubectl taint nodes n2 mig-fleet.dev/reconfiguring-`\n"
        "Run the update again to continue"
    )
    assert fleet.isolated() == ["n2"]
    roll_out(a_wave("n1", "n2"))
    assert fleet.isolated() == []


def test_scheduling_that_cannot_be_restored_after_the_verification_is_an_error_with_the_command(fleet: Fleet) -> None:
    wave = a_wave("n1", "n2")
    ASSIGNMENT.create(wave)
    fleet.fail_requests("PATCH", "nodes/n2", UNAVAILABLE, skip=1)
    with pytest.raises(VerificationFailed) as failed:
        VERIFICATION.create(wave)
    assert str(failed.value) == (
        "all nodes of pool-wave-0 are as declared, but n2 may still be isolated: the API server is unavailable\n"
        "Run the update again, or restore scheduling with `kubectl taint nodes n2 mig-fleet.dev/reconfiguring-`"
    )
    assert fleet.isolated() == ["n2"]
    VERIFICATION.create(wave)
    assert fleet.isolated() == []


def test_a_node_that_is_replaced_after_its_verification_is_not_recorded_as_verified(fleet: Fleet) -> None:
    wave = a_wave("n1", "n2")
    ASSIGNMENT.create(wave)
    fleet.before_request("PATCH", "/nodes/n1$", lambda: fleet.replace("n1"))
    with pytest.raises(VerificationFailed) as failed:
        VERIFICATION.create(wave)
    assert "n1 is not recorded as verified: node 'n1' was replaced during the update" in str(failed.value)
    assert fleet.ownership_annotations("n1") == {}


# A MIG Manager that is still busy with an earlier config


def test_a_pending_state_is_waited_for_before_the_label(fleet: Fleet) -> None:
    fleet.label("n1", labels.STATE, "pending")
    fleet.clock.after(40, lambda: fleet.label("n1", labels.STATE, "success"))
    ASSIGNMENT.create(a_wave("n1"))
    assert 40 <= fleet.clock.slept < 50


def test_a_pending_state_that_lasts_until_the_timeout_is_an_error_and_scheduling_is_restored(fleet: Fleet) -> None:
    fleet.label("n1", labels.STATE, "pending")
    with pytest.raises(
        AssignmentFailed, match=r"MIG Manager is still at work on n1 after 600 s.*\nscheduling restored: n1$"
    ):
        ASSIGNMENT.create(a_wave("n1", stuck_after_seconds=1800.0))
    assert fleet.isolated() == []


def test_a_pending_state_that_is_stuck_does_not_block_a_new_config(fleet: Fleet) -> None:
    fleet.label("n1", labels.STATE, "pending")
    ASSIGNMENT.create(a_wave("n1", stuck_after_seconds=400.0))
    assert fleet.configs()["n1"] == DENSE.config_name
    assert 400 <= fleet.clock.slept - REPORT_WAIT_S < 410


def test_without_the_property_a_pending_state_is_stuck_after_half_an_hour(fleet: Fleet) -> None:
    fleet.label("n1", labels.STATE, "pending")
    wave = {key: value for key, value in a_wave("n1", timeout_seconds=7200.0).items() if key != "stuckAfterSeconds"}
    ASSIGNMENT.create(wave)
    assert 1800 <= fleet.clock.slept - REPORT_WAIT_S < 1810


def test_the_age_of_a_pending_state_counts_only_after_the_drain(fleet: Fleet) -> None:
    fleet.pod("web", "n1")
    fleet.clock.after(2000, lambda: fleet.pods.pop(("team", "web")))
    fleet.clock.after(1990, lambda: fleet.label("n1", labels.STATE, "pending"))
    fleet.clock.after(2090, lambda: fleet.label("n1", labels.STATE, "success"))
    ASSIGNMENT.create(a_wave("n1", on_user_pods="wait", stuck_after_seconds=1800.0, timeout_seconds=7200.0))
    assert 2090 <= fleet.clock.slept < 2100, "MIG Manager could finish its work"
