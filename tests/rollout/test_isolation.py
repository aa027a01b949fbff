"""Closed to new pods by a taint of ours, or a cordon where our taint would not be tolerated; only what is ours goes."""

from collections.abc import Callable

import pytest

from mig_fleet.cluster.errors import ClusterError, Conflict
from mig_fleet.model import labels
from mig_fleet.observed.snapshot import Node, forget
from mig_fleet.rollout.assign import AssignmentFailed
from mig_fleet.rollout.isolation import how_to_open
from mig_fleet.rollout.verify import VerificationFailed
from tests.memory.api import MemoryCluster
from tests.memory.fleet import FAILS, WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, a_wave, roll_out

FOREIGN = "node.kubernetes.io/maintenance"


def closed_during_the_change(fleet: Fleet, **wave: object) -> tuple[list[str], bool]:
    """What keeps pods away from the node between the label and the verdict: taints, and whether it is cordoned."""
    ASSIGNMENT.create(a_wave("n1", **wave))
    return fleet.taints("n1"), bool(fleet.nodes["n1"]["spec"].get("unschedulable"))


def test_our_taint_joins_those_of_others_and_leaves_them_there(fleet: Fleet) -> None:
    fleet.taint("n1", FOREIGN)
    assert closed_during_the_change(fleet) == ([FOREIGN, labels.TAINT], False)
    roll_out(a_wave("n1"))
    assert fleet.taints("n1") == [FOREIGN]


def test_a_taint_that_somebody_adds_during_the_change_survives_the_opening(fleet: Fleet) -> None:
    ASSIGNMENT.create(a_wave("n1"))
    fleet.taint("n1", FOREIGN)
    roll_out(a_wave("n1"))
    assert fleet.taints("n1") == [FOREIGN]


def test_the_startup_taint_of_a_node_that_grew_goes_with_its_first_verdict(fleet: Fleet) -> None:
    fleet.taint("n1", labels.STARTUP_TAINT)
    roll_out(a_wave("n1"))
    assert fleet.taints("n1") == []


@pytest.mark.parametrize("act", [MemoryCluster.close, MemoryCluster.cordon], ids=["taint", "cordon"])
def test_a_write_that_comes_in_between_is_read_again_and_kept(
    fleet: Fleet, act: Callable[[MemoryCluster, str], None]
) -> None:
    fleet.meanwhile("PATCH", "nodes/n1", lambda: fleet.taint("n1", FOREIGN))
    act(MemoryCluster(fleet), "n1")
    assert FOREIGN in fleet.taints("n1")
    MemoryCluster(fleet).open("n1")
    assert fleet.taints("n1") == [FOREIGN]


def test_a_cordon_that_comes_in_between_stays_somebody_elses(fleet: Fleet) -> None:
    fleet.meanwhile("PATCH", "nodes/n1", lambda: fleet.patch("n1", {"spec": {"unschedulable": True}}))
    MemoryCluster(fleet).cordon("n1")
    MemoryCluster(fleet).open("n1")
    assert fleet.nodes["n1"]["spec"]["unschedulable"] is True


def test_somebody_who_always_comes_in_between_wins_in_the_end(fleet: Fleet) -> None:
    fleet.meanwhile("PATCH", "nodes/n1", lambda: fleet.patch("n1", {}), times=100)
    with pytest.raises(Conflict):
        MemoryCluster(fleet).close("n1")
    assert len(fleet.written()) == 5


def test_a_closed_node_is_not_written_to_again(fleet: Fleet) -> None:
    for _ in range(2):
        MemoryCluster(fleet).close("n1")
    for _ in range(2):
        MemoryCluster(fleet).open("n1")
    assert len(fleet.written()) == 2


def test_where_the_operator_is_not_ours_the_node_is_cordoned_with_a_note(fleet: Fleet) -> None:
    assert closed_during_the_change(fleet, isolation="cordon") == ([], True)
    assert fleet.marks("n1")["cordoned"] == "true"
    roll_out(a_wave("n1", isolation="cordon"))
    assert "unschedulable" not in fleet.nodes["n1"]["spec"]
    assert "cordoned" not in fleet.marks("n1")


def test_a_cordon_of_somebody_else_is_neither_noted_nor_undone(fleet: Fleet) -> None:
    fleet.patch("n1", {"spec": {"unschedulable": True}})
    roll_out(a_wave("n1", isolation="cordon"))
    assert fleet.nodes["n1"]["spec"]["unschedulable"] is True
    assert "cordoned" not in fleet.marks("n1")


def test_a_node_that_somebody_uncordoned_by_hand_is_open_and_is_closed_again_for_the_next_change(fleet: Fleet) -> None:
    wave = a_wave("n1", isolation="cordon")
    ASSIGNMENT.create(wave)
    VERIFICATION.create(wave)
    ASSIGNMENT.create(a_wave("n1", isolation="cordon", layout=WIDE))
    fleet.patch("n1", {"spec": {"unschedulable": None}})
    fleet.clock.sleep(10)
    forget()
    wide = a_wave("n1", isolation="cordon", layout=WIDE)
    assert VERIFICATION.check(wide, wide).inputs["drift"] == [
        "not noted: n1: is as declared, but not noted as verified"
    ]
    assert closed_during_the_change(fleet, isolation="cordon") == ([], True)


def test_how_a_node_was_closed_before_does_not_matter_to_the_opening(fleet: Fleet) -> None:
    ASSIGNMENT.create(a_wave("n1"))
    roll_out(a_wave("n1", isolation="cordon"))
    assert fleet.taints("n1") == []


def a_closed_node(name: str, *taints: str, cordoned: bool = False, ours: bool = True) -> Node:
    notes = {labels.CORDONED: "true"} if cordoned and ours else {}
    return Node(name, {}, notes, {}, None, taints=frozenset(taints), cordoned=cordoned)


@pytest.mark.parametrize(
    ("nodes", "command"),
    [
        (
            [a_closed_node("n2", labels.TAINT), a_closed_node("n1", labels.TAINT, FOREIGN)],
            "kubectl taint nodes n1 n2 mig-fleet.dev/reconfiguring-",
        ),
        ([a_closed_node("n1", labels.STARTUP_TAINT)], "kubectl taint nodes n1 mig-fleet.dev/startup-"),
        (
            [a_closed_node("n1", *labels.OUR_TAINTS)],
            "kubectl taint nodes n1 mig-fleet.dev/reconfiguring- mig-fleet.dev/startup-",
        ),
        (
            [a_closed_node("n1", labels.TAINT), a_closed_node("n2", labels.STARTUP_TAINT)],
            "kubectl taint nodes n1 mig-fleet.dev/reconfiguring- && kubectl taint nodes n2 mig-fleet.dev/startup-",
        ),
        ([a_closed_node("n2", cordoned=True), a_closed_node("n1", cordoned=True)], "kubectl uncordon n1 n2"),
        (
            [a_closed_node("n1", labels.TAINT, cordoned=True, ours=False)],
            "kubectl taint nodes n1 mig-fleet.dev/reconfiguring-",
        ),
    ],
    ids=["our taint", "the pool's own", "both", "one each", "our cordon", "our taint and a cordon of others"],
)
def test_the_way_out_is_a_command_that_takes_off_what_is_there_and_ours(nodes: list[Node], command: str) -> None:
    assert how_to_open(nodes) == command


@pytest.mark.parametrize(
    ("isolation", "command"),
    [("taint", "kubectl taint nodes n1 mig-fleet.dev/reconfiguring-"), ("cordon", "kubectl uncordon n1")],
)
def test_a_node_that_was_open_when_it_was_seen_is_opened_from_what_we_closed_it_with(
    isolation: str, command: str
) -> None:
    assert how_to_open([a_closed_node("n1")], isolation) == command


def test_a_node_that_only_its_pools_template_closed_is_opened_by_the_printed_command(fleet: Fleet) -> None:
    fleet.taint("n1", labels.STARTUP_TAINT)
    fleet.manager["n1"] = [FAILS]
    with pytest.raises(VerificationFailed) as failed:
        roll_out(a_wave("n1"))
    assert "open them as they are: `kubectl taint nodes n1 mig-fleet.dev/startup-`" in str(failed.value)


@pytest.mark.parametrize("isolation", ["taint", "cordon"])
def test_a_node_that_somebody_else_cordoned_before_is_not_said_to_be_open(fleet: Fleet, isolation: str) -> None:
    fleet.patch("n2", {"spec": {"unschedulable": True}})
    fleet.answer("GET", "/pods$", ClusterError("the server has a bad day"), skip=1)
    with pytest.raises(AssignmentFailed) as failed:
        ASSIGNMENT.create(a_wave("n1", "n2", isolation=isolation))
    assert str(failed.value) == (
        "no node was relabelled: the server has a bad day\nopen again: n1; cordoned by somebody else, and still is: n2"
    )
    assert fleet.nodes["n2"]["spec"]["unschedulable"] is True


def test_where_all_nodes_are_cordoned_by_somebody_else_no_command_undoes_that(fleet: Fleet) -> None:
    fleet.patch("n1", {"spec": {"unschedulable": True}})
    fleet.answer("PATCH", "nodes/n1", ClusterError("the server has a bad day"), skip=1)
    with pytest.raises(AssignmentFailed) as failed:
        ASSIGNMENT.create(a_wave("n1", isolation="cordon"))
    assert str(failed.value) == (
        "1 of 1 nodes could not be labelled:\n  n1: the server has a bad day\n"
        "relabelled: none. Run the update again to go on"
    )


def test_a_node_that_cannot_be_closed_is_not_cut(fleet: Fleet) -> None:
    fleet.answer("PATCH", "nodes/n1", Conflict("somebody else wrote first"), times=5, skip=1)
    with pytest.raises(AssignmentFailed, match="n1 could not be closed: somebody else wrote first\nopen again: n1"):
        ASSIGNMENT.create(a_wave("n1"))
    assert fleet.labelled() == []
