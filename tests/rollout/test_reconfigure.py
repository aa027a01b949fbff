"""A node is closed, emptied, labelled, read back and opened; what goes wrong before the label leaves no trace."""

import pytest

from mig_fleet.cluster.errors import ClusterError
from mig_fleet.model import labels
from mig_fleet.rollout.assign import AssignmentFailed
from mig_fleet.rollout.verify import VerificationFailed
from tests.memory.fleet import DENSE, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, a_wave, roll_out


def test_a_wave_is_cut_read_back_and_open_again(fleet: Fleet) -> None:
    outs = roll_out(a_wave("n1", "n2"))
    assert outs["counted"] == {"n1": "GPU 0-1: 7x 1g.10gb", "n2": "GPU 0-1: 7x 1g.10gb"}
    assert outs["recovered"] == []
    assert fleet.configs() == {"n1": DENSE.config_name, "n2": DENSE.config_name}
    assert fleet.closed() == []


def test_a_node_carries_whose_it_is_what_it_had_before_and_what_was_read_back(fleet: Fleet) -> None:
    roll_out(a_wave("n1"))
    assert fleet.marks("n1") == {
        "wave": "pool-wave-0",
        "previous-config": "all-disabled",
        "attempt": "1",
        "verified-config": DENSE.config_name,
    }


def test_a_node_outside_the_wave_is_not_touched(fleet: Fleet) -> None:
    roll_out(a_wave("n1"))
    assert fleet.touched() == {"n1"}


def test_a_node_stays_closed_until_it_was_read_back(fleet: Fleet) -> None:
    wave = a_wave("n1", "n2")
    ASSIGNMENT.create(wave)
    assert fleet.closed() == ["n1", "n2"]
    VERIFICATION.create(wave)
    assert fleet.closed() == []


def test_a_node_that_is_right_already_is_marked_and_left_alone(fleet: Fleet) -> None:
    fleet.add("n1", DENSE.config_name)
    ASSIGNMENT.create(a_wave("n1", "n2"))
    assert fleet.labelled() == [("n2", DENSE.config_name)]
    assert fleet.closed() == ["n2"]
    assert fleet.marks("n1") == {"wave": "pool-wave-0", "previous-config": DENSE.config_name}


def test_an_update_of_a_wave_that_is_right_writes_nothing_at_all(fleet: Fleet) -> None:
    wave = a_wave("n1", "n2")
    roll_out(wave)
    fleet.forget_requests()
    ASSIGNMENT.update("pool-wave-0", wave, wave)
    VERIFICATION.update("pool-wave-0", wave, wave)
    assert fleet.written() == []


@pytest.mark.parametrize(
    ("method", "path", "skip", "reason"),
    [
        ("PATCH", "nodes/n2", 0, "n2 could not be marked: "),
        ("PATCH", "nodes/n2", 1, "n2 could not be closed: "),
        ("GET", "/pods$", 1, ""),
        ("GET", "/pods$", 2, ""),
        ("GET", "/nodes$", 2, ""),
        ("GET", "/nodes$", 3, ""),
    ],
    ids=["to mark a node", "to close it", "to empty it", "to ask its manager", "to wait for it", "the last look"],
)
def test_what_fails_before_the_label_opens_what_was_closed_and_says_so(
    fleet: Fleet, method: str, path: str, skip: int, reason: str
) -> None:
    fleet.answer(method, path, ClusterError("the server has a bad day"), skip=skip)
    with pytest.raises(AssignmentFailed) as failed:
        ASSIGNMENT.create(a_wave("n1", "n2"))
    assert str(failed.value) == (f"no node was relabelled: {reason}the server has a bad day\nopen again: n1, n2")
    assert fleet.labelled() == []
    assert fleet.closed() == []
    roll_out(a_wave("n1", "n2"))
    assert fleet.closed() == [], "the next update goes through"


def test_a_node_that_could_not_be_opened_again_is_named_with_the_command_that_does(fleet: Fleet) -> None:
    fleet.answer("GET", "/pods$", ClusterError("the server has a bad day"), skip=1)
    fleet.answer("PATCH", "nodes/n1", ClusterError("it still has"), skip=2)
    with pytest.raises(AssignmentFailed) as failed:
        ASSIGNMENT.create(a_wave("n1", "n2"))
    assert str(failed.value) == (
        "no node was relabelled: the server has a bad day\n"
        "still closed: n1; open with `kubectl taint nodes n1 mig-fleet.dev/reconfiguring-`"
    )
    assert fleet.closed() == ["n1"]


@pytest.mark.parametrize(
    ("nodes", "opened"), [(["n1"], []), (["n1", "n2"], ["open again: n2"])], ids=["all were", "one was"]
)
def test_a_failure_leaves_closed_what_was_closed_before_and_says_how_to_open_it(
    fleet: Fleet, nodes: list[str], opened: list[str]
) -> None:
    fleet.taint("n1", labels.TAINT)
    fleet.answer("GET", "/pods$", ClusterError("the server has a bad day"), skip=1)
    with pytest.raises(AssignmentFailed) as failed:
        ASSIGNMENT.create(a_wave(*nodes))
    assert str(failed.value) == "\n".join(
        [
            "no node was relabelled: the server has a bad day",
            *opened,
            "still closed as before: n1; open with `kubectl taint nodes n1 mig-fleet.dev/reconfiguring-`",
        ]
    )
    assert fleet.closed() == ["n1"]


def test_a_change_that_is_refused_names_what_was_closed_before_and_how_to_open_it(fleet: Fleet) -> None:
    fleet.taint("n1", labels.STARTUP_TAINT)
    fleet.label("n2", labels.CAPABLE, "false")
    with pytest.raises(AssignmentFailed, match=r"^nothing was changed:\n  node 'n2' is not MIG-capable") as failed:
        ASSIGNMENT.create(a_wave("n1", "n2"))
    assert str(failed.value).splitlines()[2:] == [
        "still closed as before: n1; open with `kubectl taint nodes n1 mig-fleet.dev/startup-`"
    ]


def test_a_label_that_fails_on_one_node_names_those_that_have_it_and_all_that_are_closed(fleet: Fleet) -> None:
    fleet.answer("PATCH", "nodes/n2", ClusterError("the server has a bad day"), skip=2)
    with pytest.raises(AssignmentFailed) as failed:
        ASSIGNMENT.create(a_wave("n1", "n2"))
    assert str(failed.value) == (
        "1 of 2 nodes could not be labelled:\n  n2: the server has a bad day\nrelabelled: n1; closed: n1, n2. Run the "
        "update again to go on, or open them with `kubectl taint nodes n1 n2 mig-fleet.dev/reconfiguring-`"
    )
    assert fleet.closed() == ["n1", "n2"]
    fleet.forget_requests()
    roll_out(a_wave("n1", "n2"))
    assert fleet.labelled() == [("n2", DENSE.config_name)], "the other one has it already"
    assert fleet.closed() == []


def test_a_mark_that_fails_after_the_label_names_the_nodes_that_are_closed_by_now(fleet: Fleet) -> None:
    fleet.add("n1", DENSE.config_name)
    fleet.answer("PATCH", "nodes/n1", ClusterError("the server has a bad day"))
    with pytest.raises(AssignmentFailed) as failed:
        ASSIGNMENT.create(a_wave("n1", "n2"))
    assert str(failed.value) == (
        "n1 could not be marked: the server has a bad day\nrelabelled and closed to new pods: n2\n"
        "still closed: n2; open with `kubectl taint nodes n2 mig-fleet.dev/reconfiguring-`\n"
        "Run the update again to go on"
    )
    assert fleet.closed() == ["n2"]
    roll_out(a_wave("n1", "n2"))
    assert fleet.closed() == []


def test_an_opening_that_fails_at_the_end_names_the_command(fleet: Fleet) -> None:
    wave = a_wave("n1", "n2")
    ASSIGNMENT.create(wave)
    fleet.answer("PATCH", "nodes/n2", ClusterError("the server has a bad day"), skip=1)
    with pytest.raises(VerificationFailed) as failed:
        VERIFICATION.create(wave)
    assert str(failed.value) == (
        "all nodes of pool-wave-0 are as declared, but n2 may still be closed: the server has a bad day\n"
        "Run the update again, or open with `kubectl taint nodes n2 mig-fleet.dev/reconfiguring-`"
    )
    assert fleet.closed() == ["n2"]
    VERIFICATION.create(wave)
    assert fleet.closed() == []


def test_a_manager_in_the_middle_of_something_else_is_waited_for(fleet: Fleet) -> None:
    fleet.label("n1", labels.STATE, "pending")
    fleet.clock.after(40, lambda: fleet.label("n1", labels.STATE, "success"))
    ASSIGNMENT.create(a_wave("n1"))
    assert 40 <= fleet.clock.slept < 50


def test_a_manager_that_never_ends_something_else_is_named_and_the_node_is_open(fleet: Fleet) -> None:
    fleet.label("n1", labels.STATE, "pending")
    with pytest.raises(AssignmentFailed, match=r"MIG Manager is still at work on n1 after 600 s.*\nopen again: n1$"):
        ASSIGNMENT.create(a_wave("n1", wedged_s=1800.0))
    assert fleet.closed() == []


def test_a_pending_that_is_older_than_the_user_allows_does_not_stop_a_new_config(fleet: Fleet) -> None:
    fleet.label("n1", labels.STATE, "pending")
    ASSIGNMENT.create(a_wave("n1", wedged_s=400.0))
    assert fleet.configs()["n1"] == DENSE.config_name
    assert 400 <= fleet.clock.slept < 410


def test_a_state_from_before_that_wish_was_kept_means_half_an_hour(fleet: Fleet) -> None:
    fleet.label("n1", labels.STATE, "pending")
    wave = {key: value for key, value in a_wave("n1", timeout_s=7200.0).items() if key != "wedged_s"}
    ASSIGNMENT.create(wave)
    assert 1800 <= fleet.clock.slept < 1810


def test_the_age_of_a_pending_does_not_begin_while_users_pods_are_waited_for(fleet: Fleet) -> None:
    fleet.pod("web", "n1")
    fleet.clock.after(2000, lambda: fleet.pods.pop(("team", "web")))
    fleet.clock.after(1990, lambda: fleet.label("n1", labels.STATE, "pending"))
    fleet.clock.after(2090, lambda: fleet.label("n1", labels.STATE, "success"))
    ASSIGNMENT.create(a_wave("n1", on_user_pods="wait", wedged_s=1800.0, timeout_s=7200.0))
    assert 2090 <= fleet.clock.slept < 2100, "MIG Manager was let finish what it had begun"


def test_a_node_that_vanishes_while_its_wave_is_closed_is_named_and_the_rest_is_told(fleet: Fleet) -> None:
    fleet.meanwhile("GET", "/nodes$", lambda: fleet.remove("n2"), skip=3)
    with pytest.raises(AssignmentFailed) as failed:
        ASSIGNMENT.create(a_wave("n1", "n2"))
    assert str(failed.value).startswith(
        "1 of 2 nodes could not be labelled:\n  n2: node 'n2' is not in the cluster; check the pool's nodes"
    )
    assert "relabelled: n1" in str(failed.value)
