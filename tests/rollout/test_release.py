"""A wave changes only nodes that it owns: what happens to nodes that leave it, move, or are taken over."""

from collections.abc import Callable

import pytest

from mig_fleet.cluster.errors import ClusterError, ClusterUnreachable
from mig_fleet.model import labels
from mig_fleet.observed.snapshot import invalidate
from mig_fleet.rollout.assign import AssignmentFailed
from mig_fleet.rollout.verify import VerificationFailed
from mig_fleet.rollout.wave import stored
from tests.memory.fleet import DENSE, FAILS, SUCCEEDS, WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, outputs, roll_out

UNAVAILABLE = ClusterError("the API server is unavailable")
EACH_POLICY = pytest.mark.parametrize("policy", ["retain", "disable", "restore"])


@pytest.fixture
def used(fleet: Fleet) -> Fleet:
    """Node n1 had the wide layout before our first write."""
    fleet.add("n1", WIDE.config_name)
    return fleet


def rolled_out(fleet: Fleet, wave: Props) -> Props:
    """The wave, rolled out; the record of requests is empty afterwards."""
    roll_out(wave)
    fleet.clear_requests()
    return wave


def update_if_changed(wave: Props) -> None:
    """What Pulumi does with an assignment whose inputs are the state's: an update only if `check` finds drift."""
    invalidate()
    inputs = ASSIGNMENT.check(wave, wave).inputs
    if ASSIGNMENT.diff("id", wave, inputs).changes:
        ASSIGNMENT.update("id", wave, inputs)


def owner(fleet: Fleet, name: str) -> str | None:
    """The wave in a node's ownership annotation."""
    return fleet.ownership_annotations(name).get("wave")


# A wave that is deleted


@pytest.mark.parametrize(
    ("policy", "configs"),
    [
        ("retain", {"n1": DENSE.config_name, "n2": DENSE.config_name}),
        ("disable", {"n1": "all-disabled", "n2": "all-disabled"}),
        ("restore", {"n1": WIDE.config_name, "n2": "all-disabled"}),
    ],
)
def test_the_delete_policy_decides_which_config_the_nodes_of_a_deleted_wave_get(
    used: Fleet, policy: str, configs: dict[str, str]
) -> None:
    wave = rolled_out(used, a_wave("n1", "n2", on_delete=policy))
    ASSIGNMENT.delete("pool-wave-0", wave)
    assert used.configs() == configs
    assert used.per_gpu["n1"] == used.declared(configs["n1"]), "the release waits for MIG Manager"
    assert used.ownership_annotations("n1") == used.ownership_annotations("n2") == {}
    assert used.isolated() == []


def test_retain_only_removes_the_annotations(used: Fleet) -> None:
    wave = rolled_out(used, a_wave("n1", "n2"))
    ASSIGNMENT.delete("pool-wave-0", wave)
    assert used.writes() == ["PATCH /api/v1/nodes/n1", "PATCH /api/v1/nodes/n2"]
    assert used.written_configs() == []


def test_a_config_that_another_client_wrote_is_kept(fleet: Fleet) -> None:
    wave = rolled_out(fleet, a_wave("n1", "n2", on_delete="disable"))
    fleet.label("n1", labels.CONFIG, "their-own")
    ASSIGNMENT.delete("pool-wave-0", wave)
    assert fleet.configs() == {"n1": "their-own", "n2": "all-disabled"}
    assert fleet.ownership_annotations("n1") == {}


def test_a_node_that_left_the_cluster_is_skipped(fleet: Fleet) -> None:
    wave = rolled_out(fleet, a_wave("n1", "n2", on_delete="disable"))
    fleet.remove("n1")
    ASSIGNMENT.delete("pool-wave-0", wave)
    assert fleet.configs() == {"n2": "all-disabled"}


def test_a_node_that_leaves_the_cluster_during_its_release_is_skipped(fleet: Fleet) -> None:
    wave = rolled_out(fleet, a_wave("n1", "n2", on_delete="disable"))
    fleet.clock.after(3, lambda: fleet.remove("n1"))
    ASSIGNMENT.delete("pool-wave-0", wave)
    assert fleet.configs() == {"n2": "all-disabled"}


def test_the_release_of_a_node_in_use_is_refused(fleet: Fleet) -> None:
    wave = rolled_out(fleet, a_wave("n1", "n2", on_delete="disable"))
    fleet.pod("web", "n2")
    with pytest.raises(AssignmentFailed) as refused:
        ASSIGNMENT.delete("pool-wave-0", wave)
    assert str(refused.value) == (
        "nothing was changed:\n  node 'n2' is in use: team/web (Deployment web) holds 1x mig-1g.10gb; move them away, "
        "or choose onUserPods: wait or evict"
    )
    assert fleet.writes() == []


def test_scheduling_of_an_isolated_node_is_restored_when_its_wave_is_deleted(fleet: Fleet) -> None:
    wave = rolled_out(fleet, a_wave("n1", "n2"))
    fleet.taint("n1", labels.TAINT)
    fleet.taint("n1", "someone.else/maintenance")
    ASSIGNMENT.delete("pool-wave-0", wave)
    assert fleet.taints("n1") == ["someone.else/maintenance"]


def test_a_release_that_fails_reports_the_isolated_nodes_and_can_be_repeated(fleet: Fleet) -> None:
    wave = rolled_out(fleet, a_wave("n1", "n2", on_delete="disable"))
    fleet.manager_outcomes["n1"] = [FAILS]
    for _ in range(2):
        with pytest.raises(AssignmentFailed) as failed:
            ASSIGNMENT.delete("pool-wave-0", wave)
        assert str(failed.value) == (
            "MIG Manager did not reconfigure n1 to 'all-disabled'; see its log: kubectl -n gpu-operator logs -l "
            "app=nvidia-mig-manager\nstill isolated: n1, n2; restore scheduling with "
            "`kubectl taint nodes n1 n2 mig-fleet.dev/reconfiguring-`"
        )
    assert owner(fleet, "n1") == "pool-wave-0"
    fleet.label("n1", labels.STATE, "success")
    ASSIGNMENT.delete("pool-wave-0", wave)
    assert fleet.isolated() == []


# A release while the API server is unreachable


def unreachable_after_the_label_of_n1(fleet: Fleet, times: int) -> None:
    """The next ``times`` lists of the nodes fail after n1 was isolated and got another config."""
    error = ClusterUnreachable("no answer")
    fleet.before_request(
        "PATCH", "/nodes/n1$", lambda: fleet.fail_requests("GET", "/nodes$", error, times=times), skip=1
    )


def test_a_release_waits_for_an_api_server_that_is_unreachable_for_a_while(fleet: Fleet) -> None:
    wave = rolled_out(fleet, a_wave("n1", on_delete="disable"))
    unreachable_after_the_label_of_n1(fleet, times=60)
    ASSIGNMENT.delete("pool-wave-0", wave)
    assert fleet.per_gpu["n1"] == [None, None]
    assert fleet.isolated() == []


def test_a_release_whose_api_server_stays_unreachable_reports_that_nodes_may_be_isolated(fleet: Fleet) -> None:
    wave = rolled_out(fleet, a_wave("n1", on_delete="disable"))
    unreachable_after_the_label_of_n1(fleet, times=10_000)
    with pytest.raises(AssignmentFailed) as failed:
        ASSIGNMENT.delete("pool-wave-0", wave)
    assert str(failed.value) == "no answer\nn1 may still be isolated; run the update again once the cluster answers"


# Nodes that are removed from the stack


def test_a_node_that_is_removed_from_a_pool_is_released_by_the_next_update(used: Fleet) -> None:
    old = rolled_out(used, a_wave("n1", "n2", on_delete="restore"))
    new = a_wave("n2", on_delete="restore")
    ASSIGNMENT.update("pool-wave-0", old, new)
    assert used.written_configs() == [], "another pool could have taken it over in the same update"
    inputs = ASSIGNMENT.check(new, new).inputs
    assert inputs["drift"] == [
        "node removed from pool: n1: was removed from the pool and waits for `onDelete: restore`"
    ]
    ASSIGNMENT.update("pool-wave-0", new, inputs)
    assert used.configs() == {"n1": WIDE.config_name, "n2": DENSE.config_name}
    assert used.ownership_annotations("n1") == {}
    assert "drift" not in ASSIGNMENT.check(new, new).inputs


def test_under_retain_a_node_that_is_removed_keeps_its_annotations_until_its_wave_is_deleted(fleet: Fleet) -> None:
    old, new = rolled_out(fleet, a_wave("n1", "n2")), a_wave("n2")
    ASSIGNMENT.update("pool-wave-0", old, new)
    assert "drift" not in ASSIGNMENT.check(new, new).inputs
    assert fleet.writes() == []
    ASSIGNMENT.delete("pool-wave-0", new)
    assert fleet.written_configs() == []
    assert fleet.ownership_annotations("n1") == fleet.ownership_annotations("n2") == {}


def test_scheduling_of_an_isolated_node_that_is_removed_is_restored_by_the_next_update(fleet: Fleet) -> None:
    old, new = rolled_out(fleet, a_wave("n1", "n2")), a_wave("n2")
    fleet.taint("n1", labels.TAINT)
    ASSIGNMENT.update("pool-wave-0", old, new)
    inputs = ASSIGNMENT.check(new, new).inputs
    assert inputs["drift"] == [
        "node removed from pool: n1: was removed from the pool and is still isolated; the next update restores its "
        "scheduling in state 'success'"
    ]
    ASSIGNMENT.update("pool-wave-0", new, inputs)
    assert fleet.isolated() == []
    assert "drift" not in ASSIGNMENT.check(new, new).inputs


RELEASED = f"pool-wave-0: n1: released with config {DENSE.config_name!r} and state 'failed'"


def test_a_node_that_failed_and_was_removed_is_drift_and_its_release_is_printed(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = rolled_out(fleet, a_wave("n1", "n2")), a_wave("n2")
    fleet.label("n1", labels.STATE, "failed")
    ASSIGNMENT.update("pool-wave-0", old, new)
    inputs = ASSIGNMENT.check(new, new).inputs
    assert inputs["drift"] == [
        "node removed from pool: n1: was removed from the pool; the next update releases it in state 'failed'"
    ]
    ASSIGNMENT.update("pool-wave-0", new, inputs)
    assert capsys.readouterr().out.splitlines()[-1] == RELEASED
    assert "drift" not in ASSIGNMENT.check(new, new).inputs


def test_the_deletion_of_a_wave_prints_the_nodes_that_are_given_back_failed_or_isolated(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    wave = rolled_out(fleet, a_wave("n1", "n2"))
    fleet.label("n1", labels.STATE, "failed")
    fleet.taint("n1", labels.TAINT)
    capsys.readouterr()
    ASSIGNMENT.delete("pool-wave-0", wave)
    assert capsys.readouterr().out.splitlines() == [f"{RELEASED}, no longer isolated"]


def test_the_release_of_healthy_nodes_prints_nothing(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    wave = rolled_out(fleet, a_wave("n1", "n2"))
    capsys.readouterr()
    ASSIGNMENT.delete("pool-wave-0", wave)
    assert capsys.readouterr().out == ""


def test_a_node_that_is_removed_together_with_a_change_of_the_layout_is_released(fleet: Fleet) -> None:
    old = rolled_out(fleet, a_wave("n1", "n2", on_delete="disable"))
    new = a_wave("n2", on_delete="disable", layout=WIDE)
    ASSIGNMENT.update("pool-wave-0", old, new)
    VERIFICATION.update("pool-wave-0", old, new)
    ASSIGNMENT.update("pool-wave-0", new, ASSIGNMENT.check(new, new).inputs)
    assert fleet.configs() == {"n1": "all-disabled", "n2": WIDE.config_name}


# Nodes that another wave of the stack takes over


def test_a_renamed_pool_takes_over_its_nodes_before_the_old_pool_is_deleted(used: Fleet) -> None:
    old = rolled_out(used, a_wave("n1", "n2", on_delete="disable"))
    roll_out(a_wave("n1", "n2", wave="new-wave-0", on_delete="disable"))
    ASSIGNMENT.delete("pool-wave-0", old)
    assert used.written_configs() == [], "only the pool's name changed"
    assert used.ownership_annotations("n1") == {
        "wave": "new-wave-0",
        "previous-config": WIDE.config_name,
        "attempt": "1",
        "verified-config": DENSE.config_name,
    }, "the previous config is still the one from before our first write"


def test_a_pool_that_grows_renames_its_waves_and_reconfigures_only_the_new_node(fleet: Fleet) -> None:
    old = rolled_out(fleet, a_wave("n1", "n2", wave="pool-wave-0", on_delete="disable"))
    fleet.add("n3")
    roll_out(a_wave("n1", wave="pool-wave-00", on_delete="disable"))
    roll_out(a_wave("n2", "n3", wave="pool-wave-01", on_delete="disable"))
    ASSIGNMENT.delete("pool-wave-0", old)
    assert fleet.written_configs() == [("n3", DENSE.config_name)]
    assert {name: owner(fleet, name) for name in fleet.nodes} == {
        "n1": "pool-wave-00",
        "n2": "pool-wave-01",
        "n3": "pool-wave-01",
    }


@pytest.mark.parametrize("first", ["the pool that it leaves", "the pool that it joins"])
@EACH_POLICY
def test_a_node_that_moves_to_another_pool_is_reconfigured_once_in_either_order(
    fleet: Fleet, policy: str, first: str
) -> None:
    old = rolled_out(fleet, a_wave("n1", "n2", wave="a-wave-0", on_delete=policy))
    staying = a_wave("n2", wave="a-wave-0", on_delete=policy)
    steps: list[Callable[[], object]] = [
        lambda: ASSIGNMENT.update("a-wave-0", old, staying),
        lambda: roll_out(a_wave("n1", wave="b-wave-0", layout=WIDE, on_delete=policy)),
    ]
    for step in steps if first == "the pool that it leaves" else reversed(steps):
        step()
    assert fleet.written_configs() == [("n1", WIDE.config_name)]
    assert owner(fleet, "n1") == "b-wave-0"
    assert fleet.ownership_annotations("n1")["attempt"] == "2", "counted on, so that an earlier report is stale"
    assert "drift" not in ASSIGNMENT.check(staying, staying).inputs, "the pool that it left has nothing to do"


def test_a_wave_that_a_node_leaves_does_not_restore_scheduling_that_another_wave_has_just_removed(
    fleet: Fleet,
) -> None:
    old = rolled_out(fleet, a_wave("n1", "n2", wave="a-wave-0"))
    isolated: list[list[str]] = []

    def update_the_wave_that_it_leaves() -> None:
        ASSIGNMENT.update("a-wave-0", old, a_wave("n2", wave="a-wave-0"))
        isolated.append(fleet.isolated())

    fleet.before_request("GET", "/pods$", update_the_wave_that_it_leaves, skip=1)
    ASSIGNMENT.create(a_wave("n1", wave="b-wave-0", layout=WIDE))
    assert isolated == [["n1"]]
    assert owner(fleet, "n1") == "b-wave-0"


def test_a_node_that_is_taken_over_and_reconfigured_is_written_to_three_times(fleet: Fleet) -> None:
    rolled_out(fleet, a_wave("n1", "n2"))
    ASSIGNMENT.create(a_wave("n1", wave="b-wave-0", layout=WIDE))
    assert fleet.writes() == ["PATCH /api/v1/nodes/n1"] * 3, "annotations, taint, label"


def test_a_node_that_cannot_be_taken_over_is_named_and_no_node_is_reconfigured(fleet: Fleet) -> None:
    rolled_out(fleet, a_wave("n1", "n2"))
    fleet.fail_requests("PATCH", "nodes/n2", UNAVAILABLE)
    with pytest.raises(AssignmentFailed) as failed:
        ASSIGNMENT.create(a_wave("n1", "n2", wave="b-wave-0", layout=WIDE))
    assert str(failed.value) == (
        "n2 could not be annotated: the API server is unavailable\nno node was relabelled\n"
        "Run the update again to continue"
    )
    assert (fleet.written_configs(), fleet.isolated()) == ([], [])


@pytest.mark.parametrize("reason", ["not Ready", "in use"])
def test_a_wave_that_is_refused_has_taken_over_its_nodes_before_their_old_wave_is_deleted(
    fleet: Fleet, reason: str
) -> None:
    """`pulumi up --continue-on-error` deletes the old wave although the new one was refused."""
    old = rolled_out(fleet, a_wave("n1", "n2", on_delete="disable"))
    fleet.add("n3")
    if reason == "in use":
        fleet.pod("web", "n3")
    else:
        fleet.patch("n3", {"status": {"conditions": [{"type": "Ready", "status": "False"}]}})
    with pytest.raises(AssignmentFailed, match=r"^nothing was changed:\n  node 'n3' is "):
        ASSIGNMENT.create(a_wave("n1", "n2", "n3", wave="pool-wave-00", on_delete="disable"))
    assert fleet.writes() == ["PATCH /api/v1/nodes/n1", "PATCH /api/v1/nodes/n2"], "their annotations"
    ASSIGNMENT.delete("pool-wave-0", old)
    assert fleet.written_configs() == []
    assert owner(fleet, "n1") == owner(fleet, "n2") == "pool-wave-00"
    assert fleet.ownership_annotations("n3") == {}, "it belongs to no wave, so no wave can change it"


def test_a_wave_takes_over_nodes_even_if_the_release_of_another_node_is_refused(fleet: Fleet) -> None:
    old = rolled_out(fleet, a_wave("n1", "n2", on_delete="disable"))
    fleet.add("n3")
    deleted = rolled_out(fleet, a_wave("n3", wave="pool-wave-1", on_delete="disable"))
    shrunk = a_wave("n1", on_delete="disable")
    ASSIGNMENT.update("pool-wave-0", old, shrunk)
    fleet.pod("web", "n2")
    with pytest.raises(AssignmentFailed, match=r"^nothing was changed:\n  node 'n2' is in use"):
        ASSIGNMENT.update("pool-wave-0", shrunk, a_wave("n1", "n3", on_delete="disable"))
    ASSIGNMENT.delete("pool-wave-1", deleted)
    assert fleet.written_configs() == []
    assert owner(fleet, "n3") == "pool-wave-0"


# A stack that is reverted after a half-done update


@pytest.fixture
def half_done(fleet: Fleet) -> tuple[Props, Props]:
    """The waves of before and of a half-done update: n3 joined, so wave-0 was split, and wave-00 failed."""
    old = rolled_out(fleet, a_wave("n1", "n2", on_delete="disable"))
    fleet.add("n3")
    fleet.manager_outcomes["n3"] = [FAILS]
    half = a_wave("n1", "n3", wave="pool-wave-00", on_delete="disable")
    ASSIGNMENT.create(half)
    with pytest.raises(VerificationFailed):
        VERIFICATION.create(half)
    fleet.manager_outcomes["n3"] = [SUCCEEDS]
    fleet.clear_requests()
    return old, half


def test_a_node_that_another_wave_owns_is_drift_of_the_wave_that_declares_it(
    fleet: Fleet, half_done: tuple[Props, Props]
) -> None:
    old, _ = half_done
    invalidate()
    assert ASSIGNMENT.check(old, old).inputs["drift"] == [
        "node taken over: n1: is owned by wave pool-wave-00, expected pool-wave-0"
    ]
    update_if_changed(old)
    assert fleet.writes() == ["PATCH /api/v1/nodes/n1"], "its annotations, and nothing else"
    invalidate()
    assert "drift" not in ASSIGNMENT.check(old, old).inputs


@EACH_POLICY
def test_reverting_a_half_done_update_reconfigures_no_node_that_the_stack_declares(
    fleet: Fleet, half_done: tuple[Props, Props], policy: str
) -> None:
    old, half = half_done
    update_if_changed({**old, "onDelete": policy})
    ASSIGNMENT.delete("pool-wave-00", {**half, "onDelete": policy})
    assert {node for node, _ in fleet.written_configs()} <= {"n3"}
    assert owner(fleet, "n1") == owner(fleet, "n2") == "pool-wave-0"
    assert fleet.ownership_annotations("n3") == {}


def test_a_pool_whose_new_name_is_reverted_keeps_its_nodes(fleet: Fleet) -> None:
    old = rolled_out(fleet, a_wave("n1", "n2", on_delete="disable"))
    renamed = a_wave("n1", "n2", wave="new-wave-0", on_delete="disable")
    ASSIGNMENT.create(renamed)
    update_if_changed(old)
    ASSIGNMENT.delete("new-wave-0", renamed)
    assert fleet.written_configs() == []
    assert owner(fleet, "n1") == owner(fleet, "n2") == "pool-wave-0"


def test_after_a_refused_move_that_is_reverted_each_node_belongs_to_the_wave_that_declares_it(fleet: Fleet) -> None:
    """The wave that took the node over is updated first and must not release it."""
    canary = rolled_out(fleet, a_wave("n1", wave="pool-canary", on_delete="disable"))
    rest = rolled_out(fleet, a_wave("n2", on_delete="disable"))
    fleet.pod("web", "n2")
    with pytest.raises(AssignmentFailed):
        ASSIGNMENT.update("pool-canary", canary, a_wave("n2", wave="pool-canary", layout=WIDE, on_delete="disable"))
    fleet.pods.pop(("team", "web"))
    fleet.clear_requests()
    for wave in (canary, rest):
        update_if_changed({**wave, "declaredNodes": "n1 n2"})
    assert fleet.written_configs() == []
    assert (owner(fleet, "n1"), owner(fleet, "n2")) == ("pool-canary", "pool-wave-0")


# Nodes that this wave owns and another one declares


def test_a_wave_that_changes_does_not_release_a_node_that_another_wave_declares(fleet: Fleet) -> None:
    wave = rolled_out(fleet, a_wave("n1", "n2", on_delete="disable"))
    shrunk = a_wave("n1", on_delete="disable")
    ASSIGNMENT.update("pool-wave-0", wave, shrunk)
    invalidate()
    inputs = ASSIGNMENT.check(shrunk, a_wave("n1", on_delete="disable", layout=WIDE, declared="n1 n2")).inputs
    assert inputs["ownedElsewhere"] == ["n2"]
    outs = outputs(ASSIGNMENT.update("pool-wave-0", shrunk, inputs))
    assert {node for node, _ in fleet.written_configs()} == {"n1"}
    assert not {"ownedElsewhere", "declaredNodes"} & outs.keys(), "neither is stored"


def test_a_node_that_left_a_pool_earlier_is_released_only_while_no_other_pool_declares_it(fleet: Fleet) -> None:
    wave = rolled_out(fleet, a_wave("n1", "n2", wave="a-wave-0", on_delete="disable"))
    shrunk = a_wave("n1", wave="a-wave-0", on_delete="disable")
    ASSIGNMENT.update("a-wave-0", wave, shrunk)
    update_if_changed({**shrunk, "declaredNodes": "n1 n2"})
    assert fleet.written_configs() == [], "either of the two pools may be updated first"
    update_if_changed({**shrunk, "declaredNodes": "n1"})
    assert fleet.written_configs() == [("n2", "all-disabled")]


def test_the_declared_nodes_of_the_stack_are_not_among_the_checked_inputs(fleet: Fleet) -> None:
    wave = rolled_out(fleet, stored(a_wave("n1", "n2")))
    invalidate()
    assert ASSIGNMENT.check(wave, {**wave, "declaredNodes": "n1 n2 n3"}).inputs == wave
