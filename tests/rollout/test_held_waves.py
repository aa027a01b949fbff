"""Waves that wait for a later update, because they are held back or blocked by a failed wave, keep what they have.

They take ownership of their nodes, so that no other wave changes them, and reconfigure nothing.
"""

import pulumi
import pytest

from mig_fleet.components.cluster_input import NOT_KNOWN_YET
from mig_fleet.model import labels
from mig_fleet.model.reported_slices import by_node
from mig_fleet.model.wave_nodes import node_names
from mig_fleet.observed.snapshot import invalidate
from mig_fleet.rollout.batching import held_back
from mig_fleet.rollout.wave import stored
from tests.components.fleets import CONTENTS, TOKEN
from tests.memory.fleet import DENSE, WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, outputs, roll_out

MEMBERS = {"canary": ("a",), "wave-00": ("b", "c"), "wave-01": ("d",), "wave-1": ("e",)}


def held_update(old: Props, new: Props) -> Props:
    """One update of a wave that is held back, in the order of Pulumi's calls; returns the inputs that the state has
    afterwards.
    """
    invalidate()
    inputs: Props = {}
    for provider in (ASSIGNMENT, VERIFICATION):
        checked = provider.check(old, {**new, "held": True})
        assert checked.failures == []
        inputs |= checked.inputs
        if provider.diff("id", old, checked.inputs).changes:
            provider.update("id", old, checked.inputs)
    return inputs


# Which waves are held back


@pytest.mark.parametrize(
    ("verified", "most", "held"),
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
        "no limit",
        "the first wave",
        "three waves",
        "the canary is verified",
        "half a wave is verified",
        "only the canary is not verified",
        "all are verified",
    ],
)
def test_waves_beyond_the_limit_are_held_back_and_verified_waves_do_not_count(
    verified: list[str], most: int | None, held: list[str]
) -> None:
    assert held_back(MEMBERS, verified, most) == held


# Held back


def test_a_new_wave_that_is_held_back_takes_ownership_of_its_nodes_and_reconfigures_none(fleet: Fleet) -> None:
    outs = roll_out(a_wave("n1", "n2", held=True))
    assert fleet.written_configs() == []
    assert fleet.isolated() == []
    assert fleet.ownership_annotations("n1") == {"wave": "pool-wave-0", "previous-config": "all-disabled"}
    assert outs["reported"] is None


def test_the_nodes_of_a_wave_that_is_held_back_are_not_checked(fleet: Fleet) -> None:
    wave = stored(a_wave("n1", "n9", held=True))
    fleet.label("n1", labels.CAPABLE, None)
    for provider in (ASSIGNMENT, VERIFICATION):
        assert provider.check({}, wave).inputs == wave
    roll_out(wave)


def test_a_wave_that_is_held_back_keeps_its_old_layout_and_has_no_diff(fleet: Fleet) -> None:
    old = a_wave("n1", "n2")
    roll_out(old)
    fleet.clear_requests()
    kept = held_update(old, a_wave("n1", "n2", layout=WIDE))
    assert kept["expected"]["config"] == DENSE.config_name
    assert fleet.writes() == []


def test_drift_of_a_wave_that_is_held_back_is_repaired_to_its_old_layout(fleet: Fleet) -> None:
    old = a_wave("n1", "n2")
    roll_out(old)
    fleet.partition("n1", [{}, {}])
    held_update(old, a_wave("n1", "n2", layout=WIDE))
    assert fleet.per_gpu["n1"] == fleet.declared(DENSE.config_name)


def test_a_wave_that_was_held_back_gets_its_new_layout_in_a_later_update(fleet: Fleet) -> None:
    old = a_wave("n1", "n2")
    roll_out(old)
    new = a_wave("n1", "n2", layout=WIDE)
    kept = held_update(old, new)
    invalidate()
    inputs = ASSIGNMENT.check(kept, new).inputs
    assert inputs["plannedChanges"] == ["n1, n2: GPU 0-1: 7x 1g.10gb → 2x 3g.40gb"]
    ASSIGNMENT.update("id", kept, inputs)
    VERIFICATION.update("id", kept, new)
    assert fleet.per_gpu["n1"] == fleet.declared(WIDE.config_name)


def test_a_new_wave_that_was_held_back_is_partitioned_in_a_later_update(fleet: Fleet) -> None:
    held = a_wave("n1", held=True)
    roll_out(held)
    invalidate()
    inputs = ASSIGNMENT.check(held, a_wave("n1")).inputs
    assert ASSIGNMENT.diff("id", held, inputs).changes is True
    ASSIGNMENT.update("id", held, inputs)
    assert by_node(outputs(VERIFICATION.update("id", held, a_wave("n1")))) == {"n1": "GPU 0-1: 7x 1g.10gb"}


def test_a_wave_that_splits_into_two_held_waves_leaves_its_nodes_unchanged(fleet: Fleet) -> None:
    old = a_wave("n1", "n2", on_delete="disable")
    roll_out(old)
    fleet.clear_requests()
    roll_out(a_wave("n1", wave="pool-wave-00", layout=WIDE, on_delete="disable", held=True))
    roll_out(a_wave("n2", wave="pool-wave-01", layout=WIDE, on_delete="disable", held=True))
    ASSIGNMENT.delete("pool-wave-0", old)
    assert fleet.written_configs() == []
    assert fleet.ownership_annotations("n2")["wave"] == "pool-wave-01"
    assert fleet.ownership_annotations("n2")["verified-config"] == DENSE.config_name


def test_a_node_that_left_the_cluster_is_removed_from_a_wave_that_is_held_back(fleet: Fleet) -> None:
    old = a_wave("n1", "n2")
    roll_out(old)
    fleet.remove("n2")
    kept = held_update(old, a_wave("n1", layout=WIDE))
    assert node_names(kept) == ("n1",)
    assert "drift" not in kept


def test_a_wave_that_is_held_back_does_not_take_back_a_node_that_moved_to_another_pool(fleet: Fleet) -> None:
    old = a_wave("n1", "n2")
    roll_out(old)
    roll_out(a_wave("n2", wave="other-wave-0", layout=WIDE))
    fleet.clear_requests()
    held_update(old, a_wave("n1", layout=WIDE))
    assert fleet.written_configs() == []
    assert fleet.ownership_annotations("n2")["wave"] == "other-wave-0"


def test_a_node_that_joins_a_wave_that_is_held_back_waits_with_it(fleet: Fleet) -> None:
    old = a_wave("n1")
    roll_out(old)
    fleet.clear_requests()
    kept = held_update(old, a_wave("n1", "n2", layout=WIDE))
    assert (node_names(kept), kept["joining"]) == (("n1",), ["n2"])
    assert fleet.written_configs() == []
    fleet.clear_requests()
    again = held_update(kept, a_wave("n1", "n2", layout=WIDE))
    assert node_names(again) == ("n1",)
    assert fleet.writes() == []


def test_a_node_that_is_no_longer_the_canary_is_not_released_while_its_new_wave_is_held_back(fleet: Fleet) -> None:
    canary, rest = a_wave("n1", wave="pool-canary", on_delete="disable"), a_wave("n2", on_delete="disable")
    roll_out(canary)
    roll_out(rest)
    fleet.add("n3")
    fleet.clear_requests()
    new_canary = a_wave("n3", wave="pool-canary", layout=WIDE, on_delete="disable")
    ASSIGNMENT.update("pool-canary", canary, new_canary)
    VERIFICATION.update("pool-canary", canary, new_canary)
    kept = held_update(rest, a_wave("n1", "n2", layout=WIDE, on_delete="disable"))
    assert fleet.ownership_annotations("n1")["wave"] == "pool-wave-0"
    invalidate()
    assert "drift" not in ASSIGNMENT.check(new_canary, new_canary).inputs
    new_rest = a_wave("n1", "n2", layout=WIDE, on_delete="disable")
    ASSIGNMENT.update("pool-wave-0", kept, new_rest)
    VERIFICATION.update("pool-wave-0", kept, new_rest)
    assert fleet.written_configs() == [(node, WIDE.config_name) for node in ("n3", "n1", "n2")], "once per node"


def test_a_held_wave_that_is_deleted_releases_its_nodes(fleet: Fleet) -> None:
    held = a_wave("n1", held=True, on_delete="disable")
    roll_out(held)
    fleet.clear_requests()
    ASSIGNMENT.delete("pool-wave-0", held)
    assert fleet.ownership_annotations("n1") == {}
    assert fleet.written_configs() == []


# Blocked by a failed wave


def test_a_blocked_wave_keeps_its_inputs_and_reports_no_drift(fleet: Fleet) -> None:
    old = stored(a_wave("n1", "n2"))
    for provider in (ASSIGNMENT, VERIFICATION):
        found = provider.check(old, {**a_wave("n1", "n2", layout=WIDE), "blocked": True})
        assert (found.inputs, found.failures) == (old, [])
        created = provider.check({}, {**old, "blocked": True})
        assert created.inputs == {**old, "held": True}, "a new wave is left to the next update"


@pytest.mark.parametrize("held_before", [False, True])
def test_a_blocked_wave_takes_ownership_of_nodes_that_join_it_and_does_nothing_else(
    fleet: Fleet, held_before: bool
) -> None:
    """Under `--continue-on-error` the wave that the nodes leave is deleted in the same update."""
    old = stored(a_wave("n1", on_delete="disable", held=held_before))
    left = a_wave("n2", wave="pool-wave-1", on_delete="disable")
    roll_out(old)
    roll_out(left)
    fleet.label("n1", labels.CONFIG, "their-own")
    fleet.clock.sleep(10)
    fleet.clear_requests()
    grown = a_wave("n1", "n2", layout=WIDE, on_delete="disable")

    kept = ASSIGNMENT.check(old, {**grown, "blocked": True}).inputs
    assert ASSIGNMENT.diff("id", old, kept).changes is True
    outs = outputs(ASSIGNMENT.update("id", old, kept))
    assert {key: outs[key] for key in old} == old, "its old inputs are kept"
    ASSIGNMENT.delete("pool-wave-1", left)
    assert fleet.writes() == ["PATCH /api/v1/nodes/n2"], "its ownership annotations"
    assert fleet.ownership_annotations("n2")["wave"] == "pool-wave-0"

    again = ASSIGNMENT.check(kept, {**grown, "blocked": True}).inputs
    assert ASSIGNMENT.diff("id", kept, again).changes is False, "nothing to do while it stays blocked"
    shrunk = ASSIGNMENT.check(kept, {**old, "held": False, "blocked": True}).inputs
    ASSIGNMENT.update("id", kept, shrunk)
    assert fleet.written_configs() == [], "nor when the nodes leave it again"

    invalidate()
    inputs = ASSIGNMENT.check(again, grown).inputs
    assert ASSIGNMENT.diff("id", again, inputs).changes is True
    ASSIGNMENT.update("id", again, inputs)
    assert fleet.configs() == {"n1": WIDE.config_name, "n2": WIDE.config_name}, "once it is no longer blocked"


def test_nodes_that_join_a_blocked_wave_do_not_change_its_verification(fleet: Fleet) -> None:
    old = a_wave("n1")
    roll_out(old)
    kept = VERIFICATION.check(old, {**a_wave("n1", "n2"), "blocked": True}).inputs
    assert VERIFICATION.diff("id", old, kept).changes is False
    assert VERIFICATION.diff("id", kept, VERIFICATION.check(kept, a_wave("n1", "n2")).inputs).changes is True


@pytest.mark.parametrize("waits", ["blocked", "held"])
def test_a_waiting_wave_takes_back_a_node_that_a_reverted_update_took_over_and_does_nothing_else(
    fleet: Fleet, waits: str
) -> None:
    old = stored(a_wave("n1", "n2", on_delete="disable", held=waits == "held"))
    roll_out({**old, "held": False})
    half = a_wave("n1", wave="pool-wave-00", on_delete="disable")
    ASSIGNMENT.create(half)
    fleet.label("n2", labels.CONFIG, "their-own")
    fleet.clock.sleep(10)
    fleet.clear_requests()
    invalidate()
    kept = ASSIGNMENT.check(old, {**old, waits: True}).inputs
    assert kept["drift"] == ["node taken over: n1: is owned by wave pool-wave-00, expected pool-wave-0"]
    assert ASSIGNMENT.diff("id", old, kept).changes is True
    assert ASSIGNMENT.update("id", old, kept).outs == old
    ASSIGNMENT.delete("pool-wave-00", half)
    assert fleet.writes() == ["PATCH /api/v1/nodes/n1"], "its ownership annotations"
    invalidate()
    assert ASSIGNMENT.check(kept, {**old, waits: True}).inputs == old


def test_a_blocked_wave_does_not_take_back_a_node_that_the_stack_declares_elsewhere(fleet: Fleet) -> None:
    old = stored(a_wave("n1", "n2"))
    roll_out(old)
    roll_out(a_wave("n1", wave="pool-canary"))
    invalidate()
    assert ASSIGNMENT.check(old, {**a_wave("n2"), "blocked": True}).inputs == old


# What does not wait


@pytest.mark.parametrize("waits", ["blocked", "held"])
def test_a_waiting_wave_is_reached_with_renewed_credentials(fleet: Fleet, waits: str) -> None:
    """Those of its last change have expired: the next preview reads the cluster with these, and so does a deletion."""
    renewed = {"kubeconfig": CONTENTS.replace(TOKEN, "renewed")}
    old = stored(a_wave("n1", cluster={"kubeconfig": CONTENTS}))
    roll_out(old)
    for provider in (ASSIGNMENT, VERIFICATION):
        kept = provider.check(old, {**a_wave("n1", layout=WIDE, cluster=renewed), waits: True}).inputs
        assert {key: kept[key] for key in old} == {**old, "cluster": renewed}
        assert provider.diff("id", old, kept).changes is False


def test_a_preview_that_does_not_know_the_cluster_does_not_read_it_for_a_wave_that_is_held_back(fleet: Fleet) -> None:
    old = stored(a_wave("n1", cluster={"kubeconfig": CONTENTS}))
    roll_out(old)
    fleet.clear_requests()
    invalidate()
    unknown = a_wave("n1", layout=WIDE, cluster={"kubeconfig": pulumi.UNKNOWN})
    kept = ASSIGNMENT.check(old, {**unknown, "held": True}).inputs
    assert kept["notObserved"] == NOT_KNOWN_YET
    assert kept["expected"] == old["expected"]
    assert fleet.requests == []
