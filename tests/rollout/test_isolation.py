"""Nodes are isolated by our taint, or by a cordon if the operator does not tolerate the taint; only ours is removed."""

from typing import Any

import pytest

from mig_fleet.cluster.errors import ClusterError, Conflict
from mig_fleet.cluster.nodes import REWRITES
from mig_fleet.model import labels
from mig_fleet.observed.snapshot import Node, invalidate
from mig_fleet.rollout.assign import AssignmentFailed
from mig_fleet.rollout.context import RolloutContext
from mig_fleet.rollout.isolation import Scheduling, isolate_node, restore_command, restore_node, still_isolated
from mig_fleet.rollout.verify import VerificationFailed
from mig_fleet.rollout.wave import Wave
from tests.memory.api import MemoryCluster
from tests.memory.fleet import FAILS, WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, a_wave, roll_out

FOREIGN = "node.kubernetes.io/maintenance"
UNAVAILABLE = ClusterError("the API server is unavailable")
EACH_ISOLATION = pytest.mark.parametrize("isolation", ["taint", "cordon"])


def isolated_by(fleet: Fleet, **changes: Any) -> tuple[list[str], bool]:
    """The taints of n1 after the assignment and before the verification, and whether it is cordoned."""
    ASSIGNMENT.create(a_wave("n1", **changes))
    return fleet.taints("n1"), fleet.is_cordoned("n1")


def isolate_n1(fleet: Fleet, isolation: str = "taint") -> None:
    context = RolloutContext(Wave.from_properties(a_wave("n1", isolation=isolation)))
    isolate_node(context, MemoryCluster(fleet), Node("n1", {}, {}, {}, None))


def restore_n1(fleet: Fleet) -> Scheduling:
    return restore_node(MemoryCluster(fleet), "n1")


# The taint


def test_our_taint_is_added_to_foreign_taints_and_removed_without_them(fleet: Fleet) -> None:
    fleet.taint("n1", FOREIGN)
    assert isolated_by(fleet) == ([FOREIGN, labels.TAINT], False)
    roll_out(a_wave("n1"))
    assert fleet.taints("n1") == [FOREIGN]


def test_a_taint_that_another_client_adds_during_the_change_is_kept(fleet: Fleet) -> None:
    ASSIGNMENT.create(a_wave("n1"))
    fleet.taint("n1", FOREIGN)
    roll_out(a_wave("n1"))
    assert fleet.taints("n1") == [FOREIGN]


def test_the_startup_taint_of_a_new_node_is_removed_after_its_first_verification(fleet: Fleet) -> None:
    fleet.taint("n1", labels.STARTUP_TAINT)
    roll_out(a_wave("n1"))
    assert fleet.taints("n1") == []


def test_the_isolation_of_an_earlier_update_is_removed_whatever_the_setting_is_now(fleet: Fleet) -> None:
    ASSIGNMENT.create(a_wave("n1"))
    roll_out(a_wave("n1", isolation="cordon"))
    assert fleet.taints("n1") == []


# The cordon


def test_a_cordon_of_ours_is_recorded_on_the_node_and_removed_after_the_verification(fleet: Fleet) -> None:
    assert isolated_by(fleet, isolation="cordon") == ([], True)
    assert fleet.ownership_annotations("n1")["cordoned"] == "true"
    roll_out(a_wave("n1", isolation="cordon"))
    assert "unschedulable" not in fleet.nodes["n1"]["spec"]
    assert "cordoned" not in fleet.ownership_annotations("n1")


def test_a_cordon_of_another_user_is_neither_recorded_nor_removed(fleet: Fleet) -> None:
    fleet.cordon("n1")
    roll_out(a_wave("n1", isolation="cordon"))
    assert fleet.is_cordoned("n1")
    assert "cordoned" not in fleet.ownership_annotations("n1")


def test_a_node_that_a_user_uncordoned_is_not_isolated_and_is_cordoned_again_for_the_next_change(fleet: Fleet) -> None:
    roll_out(a_wave("n1", isolation="cordon"))
    wide = a_wave("n1", isolation="cordon", layout=WIDE)
    ASSIGNMENT.create(wide)
    fleet.patch("n1", {"spec": {"unschedulable": None}})
    fleet.clock.sleep(10)
    invalidate()
    assert VERIFICATION.check(wide, wide).inputs["drift"] == [
        "verification not recorded: n1: is as declared, but not recorded as verified"
    ]
    assert isolated_by(fleet, isolation="cordon") == ([], True)


# Writes at the same time


@EACH_ISOLATION
def test_a_taint_that_another_client_adds_between_our_read_and_our_write_is_kept(fleet: Fleet, isolation: str) -> None:
    fleet.before_request("PATCH", "nodes/n1", lambda: fleet.taint("n1", FOREIGN))
    isolate_n1(fleet, isolation)
    assert FOREIGN in fleet.taints("n1")
    restore_n1(fleet)
    assert fleet.taints("n1") == [FOREIGN]


def test_a_cordon_of_another_user_between_our_read_and_our_write_is_not_ours(fleet: Fleet) -> None:
    fleet.before_request("PATCH", "nodes/n1", lambda: fleet.cordon("n1"))
    isolate_n1(fleet, "cordon")
    assert restore_n1(fleet) is Scheduling.CORDONED
    assert fleet.is_cordoned("n1")


def test_after_ten_conflicts_isolation_gives_up(fleet: Fleet) -> None:
    fleet.before_request("PATCH", "nodes/n1", lambda: fleet.patch("n1", {}), times=100)
    with pytest.raises(Conflict):
        isolate_n1(fleet)
    assert len(fleet.writes()) == REWRITES


def test_isolating_or_restoring_twice_writes_once(fleet: Fleet) -> None:
    for _ in range(2):
        isolate_n1(fleet)
    for _ in range(2):
        restore_n1(fleet)
    assert len(fleet.writes()) == 2


def test_a_node_that_cannot_be_isolated_is_not_reconfigured(fleet: Fleet) -> None:
    fleet.fail_requests("PATCH", "nodes/n1", Conflict("another client wrote first"), times=REWRITES, skip=1)
    with pytest.raises(
        AssignmentFailed, match="n1 could not be isolated: another client wrote first\nscheduling restored: n1"
    ):
        ASSIGNMENT.create(a_wave("n1"))
    assert fleet.written_configs() == []


# The command that restores scheduling by hand


def node_with(name: str, *taints: str, cordoned: bool = False, ours: bool = True) -> Node:
    annotations = {labels.CORDONED: "true"} if cordoned and ours else {}
    return Node(name, {}, annotations, {}, None, taints=frozenset(taints), cordoned=cordoned)


@pytest.mark.parametrize(
    ("nodes", "command"),
    [
        (
            [node_with("n2", labels.TAINT), node_with("n1", labels.TAINT, FOREIGN)],
            "kubectl taint nodes n1 n2 mig-fleet.dev/reconfiguring-",
        ),
        ([node_with("n1", labels.STARTUP_TAINT)], "kubectl taint nodes n1 mig-fleet.dev/startup-"),
        (
            [node_with("n1", *labels.OUR_TAINTS)],
            "kubectl taint nodes n1 mig-fleet.dev/reconfiguring- mig-fleet.dev/startup-",
        ),
        (
            [node_with("n1", labels.TAINT), node_with("n2", labels.STARTUP_TAINT)],
            "kubectl taint nodes n1 mig-fleet.dev/reconfiguring- && kubectl taint nodes n2 mig-fleet.dev/startup-",
        ),
        ([node_with("n2", cordoned=True), node_with("n1", cordoned=True)], "kubectl uncordon n1 n2"),
        (
            [node_with("n1", labels.TAINT, cordoned=True, ours=False)],
            "kubectl taint nodes n1 mig-fleet.dev/reconfiguring-",
        ),
    ],
    ids=["our taint", "startup taint", "both taints", "one each", "our cordon", "our taint and a foreign cordon"],
)
def test_the_command_removes_only_what_is_there_and_ours(nodes: list[Node], command: str) -> None:
    assert restore_command(nodes) == command


@pytest.mark.parametrize(
    ("isolation", "command"),
    [("taint", "kubectl taint nodes n1 mig-fleet.dev/reconfiguring-"), ("cordon", "kubectl uncordon n1")],
)
def test_the_command_for_a_node_that_was_isolated_after_it_was_observed_depends_on_the_setting(
    isolation: str, command: str
) -> None:
    assert restore_command([node_with("n1")], isolation) == command


def test_the_command_for_a_node_with_only_the_startup_taint_removes_that_taint(fleet: Fleet) -> None:
    fleet.taint("n1", labels.STARTUP_TAINT)
    fleet.manager_outcomes["n1"] = [FAILS]
    with pytest.raises(VerificationFailed) as failed:
        roll_out(a_wave("n1"))
    by_hand = "to restore scheduling without another update: `kubectl taint nodes n1 mig-fleet.dev/startup-`"
    assert by_hand in str(failed.value)


# What an error reports


@EACH_ISOLATION
def test_a_node_that_another_user_cordoned_is_not_reported_as_schedulable(fleet: Fleet, isolation: str) -> None:
    fleet.cordon("n2")
    fleet.fail_requests("GET", "/pods$", UNAVAILABLE, times=1000, skip=1)
    with pytest.raises(AssignmentFailed) as failed:
        ASSIGNMENT.create(a_wave("n1", "n2", isolation=isolation))
    assert str(failed.value) == (
        "no node was relabelled: the API server is unavailable\n"
        "scheduling restored: n1; still cordoned by another user: n2"
    )
    assert fleet.is_cordoned("n2")


def test_no_command_removes_a_cordon_of_another_user(fleet: Fleet) -> None:
    fleet.cordon("n1")
    fleet.fail_requests("PATCH", "nodes/n1", UNAVAILABLE, skip=1)
    with pytest.raises(AssignmentFailed) as failed:
        ASSIGNMENT.create(a_wave("n1", isolation="cordon"))
    assert str(failed.value) == (
        "1 of 1 nodes could not be labelled:\n  n1: the API server is unavailable\n"
        "relabelled: none\nRun the update again to continue"
    )


def test_nothing_is_reported_and_requested_for_no_nodes(fleet: Fleet) -> None:
    context = RolloutContext(Wave.from_properties(a_wave("n1")))
    fleet.fail_requests("GET", "/nodes$", UNAVAILABLE)
    assert still_isolated(context, ()) == ""
    assert fleet.requests == []


def test_a_node_that_left_the_cluster_needs_no_restore(fleet: Fleet) -> None:
    fleet.remove("n1")
    assert restore_n1(fleet) is Scheduling.GONE
