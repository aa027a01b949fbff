"""Closed to new pods by a taint of ours, or a cordon where our taint would not be tolerated; only what is ours goes."""

from collections.abc import Callable

import pytest

from components.assignment import AssignmentFailed
from components.connection import Conflict
from components.look import forget
from components.rollout.change import how_to_open
from mig import labels
from tests.components.memory.api import MemoryCluster
from tests.components.memory.fleet import WIDE, Fleet
from tests.components.memory.wave import ASSIGNMENT, VERIFICATION, a_wave, roll_out

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
    assert "drift" not in VERIFICATION.check(wide, wide).inputs
    assert closed_during_the_change(fleet, isolation="cordon") == ([], True)


def test_how_a_node_was_closed_before_does_not_matter_to_the_opening(fleet: Fleet) -> None:
    ASSIGNMENT.create(a_wave("n1"))
    roll_out(a_wave("n1", isolation="cordon"))
    assert fleet.taints("n1") == []


def test_the_way_out_is_a_command_that_fits_the_way_in(fleet: Fleet) -> None:
    assert how_to_open(["n2", "n1"], "taint") == "kubectl taint nodes n1 n2 mig-fleet.dev/reconfiguring-"
    assert how_to_open(["n2", "n1"], "cordon") == "kubectl uncordon n1 n2"


def test_a_node_that_cannot_be_closed_is_not_cut(fleet: Fleet) -> None:
    fleet.answer("PATCH", "nodes/n1", Conflict("somebody else wrote first"), times=5, skip=1)
    with pytest.raises(AssignmentFailed, match="n1 could not be closed: somebody else wrote first\nopen again: n1"):
        ASSIGNMENT.create(a_wave("n1"))
    assert fleet.labelled() == []
