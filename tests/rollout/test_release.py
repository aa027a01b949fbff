"""Whose a node is: a wave that goes touches only nodes still its own, and leaves them as its policy says."""

import pytest

from mig_fleet.cluster.errors import ClusterError, ClusterUnreachable
from mig_fleet.model import labels
from mig_fleet.observed.snapshot import forget
from mig_fleet.rollout.assign import AssignmentFailed
from mig_fleet.rollout.verify import VerificationFailed
from tests.memory.fleet import DENSE, FAILS, SUCCEEDS, WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, roll_out


@pytest.fixture
def used(fleet: Fleet) -> Fleet:
    """One node came with a layout that somebody chose by hand."""
    fleet.add("n1", WIDE.config_name)
    return fleet


def rolled_out(fleet: Fleet, wave: Props) -> Props:
    """The wave as it stands in the state; what was written for it is of no interest."""
    roll_out(wave)
    fleet.forget_requests()
    return wave


@pytest.mark.parametrize(
    ("policy", "left"),
    [
        ("retain", {"n1": DENSE.config_name, "n2": DENSE.config_name}),
        ("disable", {"n1": "all-disabled", "n2": "all-disabled"}),
        ("restore", {"n1": WIDE.config_name, "n2": "all-disabled"}),
    ],
)
def test_a_wave_that_goes_leaves_its_nodes_as_its_policy_says(used: Fleet, policy: str, left: dict[str, str]) -> None:
    wave = rolled_out(used, a_wave("n1", "n2", on_delete=policy))
    ASSIGNMENT.delete("pool-wave-0", wave)
    assert used.configs() == left
    assert used.cuts["n1"] == used.declared(left["n1"]), "the GPUs were waited for"
    assert used.marks("n1") == used.marks("n2") == {}
    assert used.closed() == []


def test_a_wave_that_retains_writes_no_config_and_closes_nothing(used: Fleet) -> None:
    wave = rolled_out(used, a_wave("n1", "n2"))
    ASSIGNMENT.delete("pool-wave-0", wave)
    assert used.written() == ["PATCH /api/v1/nodes/n1", "PATCH /api/v1/nodes/n2"], "the marks, and nothing else"
    assert used.labelled() == []


def test_a_renamed_pool_takes_its_nodes_over_before_the_old_name_goes(used: Fleet) -> None:
    old = rolled_out(used, a_wave("n1", "n2", on_delete="disable"))
    roll_out(a_wave("n1", "n2", wave="new-wave-0", on_delete="disable"))
    ASSIGNMENT.delete("pool-wave-0", old)
    assert used.labelled() == [], "nothing about the nodes changed but the pool's name"
    assert used.marks("n1")["wave"] == "new-wave-0"
    assert used.marks("n1")["previous-config"] == WIDE.config_name, "what it carried before any of us"
    assert used.marks("n1")["verified-config"] == DENSE.config_name


def test_a_pool_that_grew_renames_its_wave_without_a_write_to_the_gpus(fleet: Fleet) -> None:
    old = rolled_out(fleet, a_wave("n1", "n2", wave="pool-wave-0", on_delete="disable"))
    fleet.add("n3")
    roll_out(a_wave("n1", wave="pool-wave-00", on_delete="disable"))
    roll_out(a_wave("n2", "n3", wave="pool-wave-01", on_delete="disable"))
    ASSIGNMENT.delete("pool-wave-0", old)
    assert fleet.labelled() == [("n3", DENSE.config_name)], "only the node that joined"
    assert {name: fleet.marks(name)["wave"] for name in fleet.nodes} == {
        "n1": "pool-wave-00",
        "n2": "pool-wave-01",
        "n3": "pool-wave-01",
    }


@pytest.mark.parametrize("first", ["the pool that it left", "the pool that it joined"])
@pytest.mark.parametrize("policy", ["retain", "disable", "restore"])
def test_a_node_that_moves_to_another_pool_is_cut_once_whoever_comes_first(
    fleet: Fleet, policy: str, first: str
) -> None:
    old = rolled_out(fleet, a_wave("n1", "n2", wave="a-wave-0", on_delete=policy))
    steps = [
        lambda: ASSIGNMENT.update("a-wave-0", old, a_wave("n2", wave="a-wave-0", on_delete=policy)),
        lambda: roll_out(a_wave("n1", wave="b-wave-0", layout=WIDE, on_delete=policy)),
    ]
    for step in steps if first == "the pool that it left" else reversed(steps):
        step()
    assert fleet.labelled() == [("n1", WIDE.config_name)]
    assert fleet.marks("n1")["wave"] == "b-wave-0"
    assert fleet.marks("n1")["attempt"] == "2", "counted on, or a report of before would be taken for one of now"
    staying = a_wave("n2", wave="a-wave-0", on_delete=policy)
    assert "drift" not in ASSIGNMENT.check(staying, staying).inputs, "nothing is left to do for the pool that it left"


def test_a_wave_that_a_node_leaves_does_not_open_what_another_one_has_just_closed(fleet: Fleet) -> None:
    old = rolled_out(fleet, a_wave("n1", "n2", wave="a-wave-0"))
    meanwhile = []

    def the_other_wave_goes() -> None:
        ASSIGNMENT.update("a-wave-0", old, a_wave("n2", wave="a-wave-0"))
        meanwhile.append(fleet.closed())

    fleet.meanwhile("GET", "/pods$", the_other_wave_goes, skip=1)
    ASSIGNMENT.create(a_wave("n1", wave="b-wave-0", layout=WIDE))
    assert meanwhile == [["n1"]]
    assert fleet.marks("n1")["wave"] == "b-wave-0"


def test_a_node_taken_out_of_a_pool_is_released_by_the_update_after(used: Fleet) -> None:
    old = rolled_out(used, a_wave("n1", "n2", on_delete="restore"))
    new = a_wave("n2", on_delete="restore")
    ASSIGNMENT.update("pool-wave-0", old, new)
    assert used.labelled() == [], "another pool might have taken it over in the same update"
    seen = ASSIGNMENT.check(new, new).inputs
    assert seen["drift"] == ["node left: n1: was taken out of the pool and waits for `onDelete: restore`"]
    ASSIGNMENT.update("pool-wave-0", new, seen)
    assert used.configs() == {"n1": WIDE.config_name, "n2": DENSE.config_name}
    assert used.marks("n1") == {}
    assert "drift" not in ASSIGNMENT.check(new, new).inputs


def test_a_node_taken_out_of_a_pool_that_retains_needs_nothing_and_loses_its_marks_with_the_wave(fleet: Fleet) -> None:
    old, new = rolled_out(fleet, a_wave("n1", "n2")), a_wave("n2")
    ASSIGNMENT.update("pool-wave-0", old, new)
    assert "drift" not in ASSIGNMENT.check(new, new).inputs
    assert fleet.written() == []
    ASSIGNMENT.delete("pool-wave-0", new)
    assert fleet.labelled() == []
    assert fleet.marks("n1") == fleet.marks("n2") == {}


def test_a_broken_node_that_is_taken_out_closed_is_opened_by_the_update_after(fleet: Fleet) -> None:
    old, new = rolled_out(fleet, a_wave("n1", "n2")), a_wave("n2")
    fleet.taint("n1", labels.TAINT)
    ASSIGNMENT.update("pool-wave-0", old, new)
    seen = ASSIGNMENT.check(new, new).inputs
    assert seen["drift"] == ["node left: n1: was taken out of the pool and is still closed to new pods"]
    ASSIGNMENT.update("pool-wave-0", new, seen)
    assert fleet.closed() == []
    assert "drift" not in ASSIGNMENT.check(new, new).inputs


def test_a_node_that_was_taken_out_together_with_a_new_layout_is_still_known_as_ours(fleet: Fleet) -> None:
    old = rolled_out(fleet, a_wave("n1", "n2", on_delete="disable"))
    new = a_wave("n2", on_delete="disable", layout=WIDE)
    ASSIGNMENT.update("pool-wave-0", old, new)
    VERIFICATION.update("pool-wave-0", old, new)
    ASSIGNMENT.update("pool-wave-0", new, ASSIGNMENT.check(new, new).inputs)
    assert fleet.configs() == {"n1": "all-disabled", "n2": WIDE.config_name}


def test_a_config_that_somebody_else_wrote_is_not_ours_to_undo(fleet: Fleet) -> None:
    wave = rolled_out(fleet, a_wave("n1", "n2", on_delete="disable"))
    fleet.label("n1", labels.CONFIG, "their-own")
    ASSIGNMENT.delete("pool-wave-0", wave)
    assert fleet.configs() == {"n1": "their-own", "n2": "all-disabled"}
    assert fleet.marks("n1") == {}


def test_a_node_that_is_gone_needs_no_release(fleet: Fleet) -> None:
    wave = rolled_out(fleet, a_wave("n1", "n2", on_delete="disable"))
    fleet.remove("n1")
    ASSIGNMENT.delete("pool-wave-0", wave)
    assert fleet.configs() == {"n2": "all-disabled"}


def test_a_node_that_goes_while_it_is_released_stops_nobody(fleet: Fleet) -> None:
    wave = rolled_out(fleet, a_wave("n1", "n2", on_delete="disable"))
    fleet.clock.after(3, lambda: fleet.remove("n1"))
    ASSIGNMENT.delete("pool-wave-0", wave)
    assert fleet.configs() == {"n2": "all-disabled"}


def test_a_node_in_use_is_not_taken_from_its_pods_by_a_release(fleet: Fleet) -> None:
    wave = rolled_out(fleet, a_wave("n1", "n2", on_delete="disable"))
    fleet.pod("web", "n2")
    with pytest.raises(AssignmentFailed) as refused:
        ASSIGNMENT.delete("pool-wave-0", wave)
    assert str(refused.value) == (
        "nothing was changed:\n  node 'n2' is in use: team/web (Deployment web) holds 1x mig-1g.10gb; move them away, "
        "or choose onUserPods: wait or evict"
    )
    assert fleet.written() == []


def test_a_node_that_was_left_closed_is_opened_when_its_wave_goes(fleet: Fleet) -> None:
    wave = rolled_out(fleet, a_wave("n1", "n2"))
    fleet.taint("n1", labels.TAINT)
    fleet.taint("n1", "someone.else/maintenance")
    ASSIGNMENT.delete("pool-wave-0", wave)
    assert fleet.taints("n1") == ["someone.else/maintenance"]


def away_once_it_is_relabelled(fleet: Fleet, times: int) -> None:
    """No look is answered so often after n1 was closed and given another config."""
    away = ClusterUnreachable("no answer")
    fleet.meanwhile("PATCH", "/nodes/n1$", lambda: fleet.answer("GET", "/nodes$", away, times=times), skip=1)


def test_a_release_waits_for_an_api_server_that_is_away_for_a_while(fleet: Fleet) -> None:
    wave = rolled_out(fleet, a_wave("n1", on_delete="disable"))
    away_once_it_is_relabelled(fleet, times=60)
    ASSIGNMENT.delete("pool-wave-0", wave)
    assert fleet.cuts["n1"] == [None, None]
    assert fleet.closed() == []


def test_a_release_whose_api_server_stays_away_says_that_nodes_may_be_closed(fleet: Fleet) -> None:
    wave = rolled_out(fleet, a_wave("n1", on_delete="disable"))
    away_once_it_is_relabelled(fleet, times=10_000)
    with pytest.raises(AssignmentFailed) as failed:
        ASSIGNMENT.delete("pool-wave-0", wave)
    assert str(failed.value) == "no answer\nn1 may still be closed; run the update again once the cluster answers"


def test_a_release_that_failed_says_what_is_still_closed_and_is_not_forgotten(fleet: Fleet) -> None:
    wave = rolled_out(fleet, a_wave("n1", "n2", on_delete="disable"))
    fleet.manager["n1"] = [FAILS]
    for _ in range(2):
        with pytest.raises(AssignmentFailed) as failed:
            ASSIGNMENT.delete("pool-wave-0", wave)
        assert str(failed.value) == (
            "MIG Manager did not bring n1 to 'all-disabled'; look at its log there: kubectl -n gpu-operator logs -l "
            "app=nvidia-mig-manager\nstill closed: n1, n2; open with "
            "`kubectl taint nodes n1 n2 mig-fleet.dev/reconfiguring-`"
        )
    assert fleet.marks("n1")["wave"] == "pool-wave-0"
    fleet.label("n1", labels.STATE, "success")
    ASSIGNMENT.delete("pool-wave-0", wave)
    assert fleet.closed() == []


@pytest.fixture
def half_done(fleet: Fleet) -> tuple[Props, Props]:
    """A node joined, so the wave split; its half was assigned and failed; now the stack is as it was before."""
    old = rolled_out(fleet, a_wave("n1", "n2", on_delete="disable"))
    fleet.add("n3")
    fleet.manager["n3"] = [FAILS]
    half = a_wave("n1", "n3", wave="pool-wave-00", on_delete="disable")
    ASSIGNMENT.create(half)
    with pytest.raises(VerificationFailed):
        VERIFICATION.create(half)
    fleet.manager["n3"] = [SUCCEEDS]
    fleet.forget_requests()
    return old, half


def updated(wave: Props) -> None:
    """What Pulumi does with a wave whose wish is the one in the state: nothing, unless `check` sees drift."""
    forget()
    seen = ASSIGNMENT.check(wave, wave).inputs
    if ASSIGNMENT.diff("id", wave, seen).changes:
        ASSIGNMENT.update("id", wave, seen)


def test_a_node_that_another_wave_took_over_is_drift_of_the_wave_that_declares_it(
    fleet: Fleet, half_done: tuple[Props, Props]
) -> None:
    old, _ = half_done
    forget()
    assert ASSIGNMENT.check(old, old).inputs["drift"] == [
        "node taken over: n1: carries the mark of pool-wave-00, expected that of pool-wave-0"
    ]
    updated(old)
    assert fleet.written() == ["PATCH /api/v1/nodes/n1"], "its mark, and nothing else"
    forget()
    assert "drift" not in ASSIGNMENT.check(old, old).inputs


@pytest.mark.parametrize("policy", ["retain", "disable", "restore"])
def test_taking_back_a_half_done_update_cuts_no_node_that_the_stack_declares(
    fleet: Fleet, half_done: tuple[Props, Props], policy: str
) -> None:
    old, half = half_done
    updated({**old, "on_delete": policy})
    ASSIGNMENT.delete("pool-wave-00", {**half, "on_delete": policy})
    assert {node for node, _ in fleet.labelled()} <= {"n3"}
    assert fleet.marks("n1")["wave"] == fleet.marks("n2")["wave"] == "pool-wave-0"
    assert fleet.marks("n3") == {}


def test_a_pool_whose_new_name_is_taken_back_keeps_its_nodes(fleet: Fleet) -> None:
    old = rolled_out(fleet, a_wave("n1", "n2", on_delete="disable"))
    renamed = a_wave("n1", "n2", wave="new-wave-0", on_delete="disable")
    ASSIGNMENT.create(renamed)
    updated(old)
    ASSIGNMENT.delete("new-wave-0", renamed)
    assert fleet.labelled() == []
    assert fleet.marks("n1")["wave"] == fleet.marks("n2")["wave"] == "pool-wave-0"


@pytest.mark.parametrize("bad", ["not Ready", "in use"])
def test_a_wave_that_is_refused_has_taken_its_nodes_over_before_the_old_one_goes(fleet: Fleet, bad: str) -> None:
    """`pulumi up --continue-on-error` deletes the old wave although the new one was refused."""
    old = rolled_out(fleet, a_wave("n1", "n2", on_delete="disable"))
    fleet.add("n3")
    if bad == "in use":
        fleet.pod("web", "n3")
    else:
        fleet.patch("n3", {"status": {"conditions": [{"type": "Ready", "status": "False"}]}})
    with pytest.raises(AssignmentFailed, match=r"^nothing was changed:\n  node 'n3' is "):
        ASSIGNMENT.create(a_wave("n1", "n2", "n3", wave="pool-wave-00", on_delete="disable"))
    assert fleet.written() == ["PATCH /api/v1/nodes/n1", "PATCH /api/v1/nodes/n2"], "one mark each"
    ASSIGNMENT.delete("pool-wave-0", old)
    assert fleet.labelled() == []
    assert fleet.marks("n1")["wave"] == fleet.marks("n2")["wave"] == "pool-wave-00"
    assert fleet.marks("n3") == {}, "nobody could cut it, and nothing was done about it"


def test_a_wave_takes_nodes_over_even_where_it_cannot_release_another(fleet: Fleet) -> None:
    old = rolled_out(fleet, a_wave("n1", "n2", on_delete="disable"))
    fleet.add("n3")
    leaving = rolled_out(fleet, a_wave("n3", wave="pool-wave-1", on_delete="disable"))
    shrunk = a_wave("n1", on_delete="disable")
    ASSIGNMENT.update("pool-wave-0", old, shrunk)
    fleet.pod("web", "n2")
    with pytest.raises(AssignmentFailed, match=r"^nothing was changed:\n  node 'n2' is in use"):
        ASSIGNMENT.update("pool-wave-0", shrunk, a_wave("n1", "n3", on_delete="disable"))
    ASSIGNMENT.delete("pool-wave-1", leaving)
    assert fleet.labelled() == []
    assert fleet.marks("n3")["wave"] == "pool-wave-0"


def test_a_node_that_is_taken_over_and_cut_is_marked_once(fleet: Fleet) -> None:
    rolled_out(fleet, a_wave("n1", "n2"))
    ASSIGNMENT.create(a_wave("n1", wave="b-wave-0", layout=WIDE))
    assert fleet.written() == ["PATCH /api/v1/nodes/n1"] * 3, "mark, close, label"


def test_a_node_that_cannot_be_taken_over_is_named_and_no_node_is_cut(fleet: Fleet) -> None:
    rolled_out(fleet, a_wave("n1", "n2"))
    fleet.answer("PATCH", "nodes/n2", ClusterError("the server has a bad day"))
    with pytest.raises(AssignmentFailed) as failed:
        ASSIGNMENT.create(a_wave("n1", "n2", wave="b-wave-0", layout=WIDE))
    assert str(failed.value) == (
        "n2 could not be marked: the server has a bad day\nno node was relabelled\nRun the update again to go on"
    )
    assert (fleet.labelled(), fleet.closed()) == ([], [])


def test_a_move_that_was_refused_and_taken_back_leaves_the_node_where_it_is_declared(fleet: Fleet) -> None:
    """The wave that marked it comes first, so it has to know that the node is another one's, not nobody's."""
    canary = rolled_out(fleet, a_wave("n1", wave="pool-canary", on_delete="disable"))
    rest = rolled_out(fleet, a_wave("n2", on_delete="disable"))
    fleet.pod("web", "n2")
    with pytest.raises(AssignmentFailed):
        ASSIGNMENT.update("pool-canary", canary, a_wave("n2", wave="pool-canary", layout=WIDE, on_delete="disable"))
    fleet.pods.pop(("team", "web"))
    fleet.forget_requests()
    for wave in (canary, rest):
        updated({**wave, "declared": "n1 n2"})
    assert fleet.labelled() == []
    assert (fleet.marks("n1")["wave"], fleet.marks("n2")["wave"]) == ("pool-canary", "pool-wave-0")


def test_a_wave_that_changes_otherwise_does_not_release_what_another_one_declares(fleet: Fleet) -> None:
    wave = rolled_out(fleet, a_wave("n1", "n2", on_delete="disable"))
    shrunk = a_wave("n1", on_delete="disable")
    ASSIGNMENT.update("pool-wave-0", wave, shrunk)
    forget()
    planned = ASSIGNMENT.check(shrunk, a_wave("n1", on_delete="disable", layout=WIDE, declared="n1 n2")).inputs
    assert planned["spared"] == ["n2"]
    outs = ASSIGNMENT.update("pool-wave-0", shrunk, planned).outs
    assert {node for node, _ in fleet.labelled()} == {"n1"}
    assert not {"spared", "declared"} & outs.keys(), "the state keeps neither"


def test_a_node_that_another_pool_declares_by_now_is_not_released_by_the_pool_that_it_left(fleet: Fleet) -> None:
    """It left in an earlier update; both pools change in this one, and either may come first."""
    wave = rolled_out(fleet, a_wave("n1", "n2", wave="a-wave-0", on_delete="disable"))
    shrunk = a_wave("n1", wave="a-wave-0", on_delete="disable")
    ASSIGNMENT.update("a-wave-0", wave, shrunk)
    updated({**shrunk, "declared": "n1 n2"})
    assert fleet.labelled() == []
    updated({**shrunk, "declared": "n1"})
    assert fleet.labelled() == [("n2", "all-disabled")], "nobody declares it any more"


def test_what_the_stack_declares_is_no_input_of_a_wave_that_is_as_declared(fleet: Fleet) -> None:
    wave = rolled_out(fleet, a_wave("n1", "n2"))
    forget()
    assert ASSIGNMENT.check(wave, {**wave, "declared": "n1 n2 n3"}).inputs == wave
