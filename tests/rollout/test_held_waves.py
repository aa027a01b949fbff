"""Waves that wait for a later update keep what they have: nothing is cut, and nobody else takes their nodes."""

import pytest

from mig_fleet.components.pool import held_back
from mig_fleet.model import labels
from mig_fleet.observed.snapshot import forget
from tests.memory.fleet import DENSE, WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, roll_out

MEMBERS = {"canary": ("a",), "wave-00": ("b", "c"), "wave-01": ("d",), "wave-1": ("e",)}


def held_update(old: Props, new: Props) -> Props:
    """One update of a wave that is held back: what Pulumi calls, in its order; the inputs that the state keeps."""
    forget()
    inputs = {}
    for provider in (ASSIGNMENT, VERIFICATION):
        checked = provider.check(old, {**new, "held": True})
        assert checked.failures == []
        inputs |= checked.inputs
        if provider.diff("id", old, checked.inputs).changes:
            provider.update("id", old, checked.inputs)
    return inputs


@pytest.mark.parametrize(
    ("ready", "most", "held"),
    [
        ([], None, []),
        ([], 1, ["wave-00", "wave-01", "wave-1"]),
        ([], 3, ["wave-1"]),
        (["a"], 1, ["wave-01", "wave-1"]),
        (["a", "b"], 1, ["wave-01", "wave-1"]),
        (["b", "c", "d", "e"], 1, []),
        (["a", "b", "c", "d", "e"], 1, []),
    ],
    ids=[
        "no bound",
        "a first wave",
        "three at once",
        "the canary is done",
        "half a wave",
        "only the canary",
        "all done",
    ],
)
def test_those_beyond_the_bound_wait_and_done_ones_do_not_count(
    ready: list[str], most: int | None, held: list[str]
) -> None:
    assert held_back(MEMBERS, ready, most) == held


def test_a_new_wave_that_is_held_takes_its_nodes_over_and_cuts_nothing(fleet: Fleet) -> None:
    outs = roll_out(a_wave("n1", "n2", held=True, counted=None))
    assert fleet.labelled() == []
    assert fleet.closed() == []
    assert fleet.marks("n1") == {"wave": "pool-wave-0", "previous-config": "all-disabled"}
    assert outs["counted"] is None


def test_a_held_wave_says_nothing_of_its_nodes(fleet: Fleet) -> None:
    wave = a_wave("n1", "n9", held=True)
    fleet.label("n1", "nvidia.com/mig.capable", None)
    for provider in (ASSIGNMENT, VERIFICATION):
        assert provider.check({}, wave).inputs == wave
    roll_out(wave)


def test_a_wave_that_is_held_keeps_its_old_layout_and_has_no_diff(fleet: Fleet) -> None:
    old = a_wave("n1", "n2")
    roll_out(old)
    fleet.forget_requests()
    kept = held_update(old, a_wave("n1", "n2", layout=WIDE))
    assert kept["config"] == DENSE.config_name
    assert fleet.written() == []


def test_drift_of_a_held_wave_is_healed_to_its_old_layout(fleet: Fleet) -> None:
    old = a_wave("n1", "n2")
    roll_out(old)
    fleet.cut("n1", [{}, {}])
    held_update(old, a_wave("n1", "n2", layout=WIDE))
    assert fleet.cuts["n1"] == fleet.declared(DENSE.config_name)


def test_a_held_wave_is_changed_once_its_turn_comes(fleet: Fleet) -> None:
    old = a_wave("n1", "n2")
    roll_out(old)
    new = a_wave("n1", "n2", layout=WIDE)
    kept = held_update(old, new)
    forget()
    turn = ASSIGNMENT.check(kept, new).inputs
    assert turn["changes"] == ["n1, n2: GPU 0-1: 7x 1g.10gb → GPU 0-1: 2x 3g.40gb"]
    ASSIGNMENT.update("id", kept, turn)
    VERIFICATION.update("id", kept, new)
    assert fleet.cuts["n1"] == fleet.declared(WIDE.config_name)


def test_a_new_wave_that_was_held_is_cut_once_its_turn_comes(fleet: Fleet) -> None:
    waiting = a_wave("n1", held=True)
    roll_out(waiting)
    forget()
    turn = ASSIGNMENT.check(waiting, a_wave("n1")).inputs
    assert ASSIGNMENT.diff("id", waiting, turn).changes is True
    ASSIGNMENT.update("id", waiting, turn)
    assert VERIFICATION.update("id", waiting, a_wave("n1")).outs["counted"] == {"n1": "GPU 0-1: 7x 1g.10gb"}


def test_a_wave_that_splits_while_its_halves_wait_leaves_every_node_as_it_was(fleet: Fleet) -> None:
    old = a_wave("n1", "n2", on_delete="disable")
    roll_out(old)
    fleet.forget_requests()
    roll_out(a_wave("n1", wave="pool-wave-00", layout=WIDE, on_delete="disable", held=True))
    roll_out(a_wave("n2", wave="pool-wave-01", layout=WIDE, on_delete="disable", held=True))
    ASSIGNMENT.delete("pool-wave-0", old)
    assert fleet.labelled() == []
    assert fleet.marks("n2")["wave"] == "pool-wave-01"
    assert fleet.marks("n2")["verified-config"] == DENSE.config_name


def test_a_node_that_left_the_cluster_does_not_stop_a_wave_that_waits(fleet: Fleet) -> None:
    old = a_wave("n1", "n2")
    roll_out(old)
    fleet.remove("n2")
    kept = held_update(old, a_wave("n1", layout=WIDE))
    assert kept["nodes"] == ["n1"]
    assert "drift" not in kept


def test_a_node_that_another_pool_took_is_not_taken_back_by_a_wave_that_waits(fleet: Fleet) -> None:
    old = a_wave("n1", "n2")
    roll_out(old)
    roll_out(a_wave("n2", wave="other-wave-0", layout=WIDE))
    fleet.forget_requests()
    held_update(old, a_wave("n1", layout=WIDE))
    assert fleet.labelled() == []
    assert fleet.marks("n2")["wave"] == "other-wave-0"


def test_a_node_that_joins_a_wave_that_waits_waits_with_it(fleet: Fleet) -> None:
    old = a_wave("n1")
    roll_out(old)
    fleet.forget_requests()
    kept = held_update(old, a_wave("n1", "n2", layout=WIDE))
    assert (kept["nodes"], kept["joining"]) == (["n1"], ["n2"])
    assert fleet.labelled() == []
    fleet.forget_requests()
    again = held_update(kept, a_wave("n1", "n2", layout=WIDE))
    assert again["nodes"] == ["n1"]
    assert fleet.written() == []


def test_a_canary_that_is_one_no_longer_is_not_released_while_its_new_wave_waits(fleet: Fleet) -> None:
    canary, rest = a_wave("n1", wave="pool-canary", on_delete="disable"), a_wave("n2", on_delete="disable")
    roll_out(canary)
    roll_out(rest)
    fleet.add("n3")
    fleet.forget_requests()
    new_canary = a_wave("n3", wave="pool-canary", layout=WIDE, on_delete="disable")
    ASSIGNMENT.update("pool-canary", canary, new_canary)
    VERIFICATION.update("pool-canary", canary, new_canary)
    kept = held_update(rest, a_wave("n1", "n2", layout=WIDE, on_delete="disable"))
    assert fleet.marks("n1")["wave"] == "pool-wave-0"
    forget()
    seen = ASSIGNMENT.check(new_canary, new_canary).inputs
    assert "drift" not in seen
    turn = a_wave("n1", "n2", layout=WIDE, on_delete="disable")
    ASSIGNMENT.update("pool-wave-0", kept, turn)
    VERIFICATION.update("pool-wave-0", kept, turn)
    assert fleet.labelled() == [(node, WIDE.config_name) for node in ("n3", "n1", "n2")], "once each"


def test_a_wave_that_waited_and_then_leaves_lets_its_nodes_go(fleet: Fleet) -> None:
    waiting = a_wave("n1", held=True, on_delete="disable")
    roll_out(waiting)
    fleet.forget_requests()
    ASSIGNMENT.delete("pool-wave-0", waiting)
    assert fleet.marks("n1") == {}
    assert fleet.labelled() == []


def test_a_wave_behind_a_failed_one_keeps_what_it_has_and_says_nothing(fleet: Fleet) -> None:
    old = a_wave("n1", "n2")
    for provider in (ASSIGNMENT, VERIFICATION):
        found = provider.check(old, {**a_wave("n1", "n2"), "config": "other", "blocked": True})
        assert (found.inputs, found.failures) == (old, [])
        created = provider.check({}, {**old, "blocked": True})
        assert created.inputs == {**old, "held": True}, "what was never done is left for the next update"


@pytest.mark.parametrize("held_before", [False, True])
def test_a_wave_behind_a_failed_one_takes_over_who_joins_it_and_does_nothing_else(
    fleet: Fleet, held_before: bool
) -> None:
    """The wave that they come from is deleted in the same update, if that goes on behind errors."""
    old, gone = (
        a_wave("n1", on_delete="disable", held=held_before),
        a_wave("n2", wave="pool-wave-1", on_delete="disable"),
    )
    roll_out(old)
    roll_out(gone)
    fleet.label("n1", labels.CONFIG, "their-own")
    fleet.clock.sleep(10)
    fleet.forget_requests()
    grown = a_wave("n1", "n2", layout=WIDE, on_delete="disable")
    kept = ASSIGNMENT.check(old, {**grown, "blocked": True}).inputs
    assert ASSIGNMENT.diff("id", old, kept).changes is True
    outs = ASSIGNMENT.update("id", old, kept).outs
    assert {key: outs[key] for key in old} == old, "what it has is what it had"
    ASSIGNMENT.delete("pool-wave-1", gone)
    assert fleet.written() == ["PATCH /api/v1/nodes/n2"], "its mark"
    assert fleet.marks("n2")["wave"] == "pool-wave-0"
    again = ASSIGNMENT.check(kept, {**grown, "blocked": True}).inputs
    assert ASSIGNMENT.diff("id", kept, again).changes is False, "while it stays behind"
    alone = ASSIGNMENT.check(kept, {**old, "held": False, "blocked": True}).inputs
    ASSIGNMENT.update("id", kept, alone)
    assert fleet.labelled() == [], "nor when they leave again"
    forget()
    turn = ASSIGNMENT.check(again, grown).inputs
    assert ASSIGNMENT.diff("id", again, turn).changes is True
    ASSIGNMENT.update("id", again, turn)
    assert fleet.configs() == {"n1": WIDE.config_name, "n2": WIDE.config_name}


def test_the_verification_behind_a_failed_assignment_has_nothing_to_do_with_who_joins(fleet: Fleet) -> None:
    old = a_wave("n1")
    roll_out(old)
    kept = VERIFICATION.check(old, {**a_wave("n1", "n2"), "blocked": True}).inputs
    assert VERIFICATION.diff("id", old, kept).changes is False
    assert VERIFICATION.diff("id", kept, VERIFICATION.check(kept, a_wave("n1", "n2")).inputs).changes is True


@pytest.mark.parametrize(
    "waits", [{"blocked": True}, {"held": True}], ids=["behind a failed one", "held since it began"]
)
def test_a_wave_that_waits_takes_back_what_a_reverted_update_took_and_does_nothing_else(
    fleet: Fleet, waits: Props
) -> None:
    old = a_wave("n1", "n2", on_delete="disable", held="held" in waits)
    roll_out({**old, "held": False})
    half = a_wave("n1", wave="pool-wave-00", on_delete="disable")
    ASSIGNMENT.create(half)
    fleet.label("n2", labels.CONFIG, "their-own")
    fleet.clock.sleep(10)
    fleet.forget_requests()
    forget()
    kept = ASSIGNMENT.check(old, {**old, **waits}).inputs
    assert kept["drift"] == ["node taken over: n1: carries the mark of pool-wave-00, expected that of pool-wave-0"]
    assert ASSIGNMENT.diff("id", old, kept).changes is True
    assert ASSIGNMENT.update("id", old, kept).outs == old
    ASSIGNMENT.delete("pool-wave-00", half)
    assert fleet.written() == ["PATCH /api/v1/nodes/n1"], "its mark"
    forget()
    assert ASSIGNMENT.check(kept, {**old, **waits}).inputs == old


def test_a_wave_behind_a_failed_one_leaves_it_a_node_that_moved_there(fleet: Fleet) -> None:
    old = a_wave("n1", "n2")
    roll_out(old)
    roll_out(a_wave("n1", wave="pool-canary"))
    forget()
    assert ASSIGNMENT.check(old, {**a_wave("n2"), "blocked": True}).inputs == old
