"""The owner of a cluster: its check comes before every write, and its guard before every deletion."""

import re
from typing import Any

import pulumi
import pytest

from mig_fleet.cluster.errors import ClusterUnreachable, Forbidden
from mig_fleet.components import destroy_guard, layout_file, owner
from mig_fleet.components.destroy_guard import DestroyGuardProvider, DestroyRefused
from mig_fleet.components.owner import ClusterOwned, ClusterOwnerProvider
from mig_fleet.model import labels, parted
from mig_fleet.observed.rights.missing import REVIEWS
from mig_fleet.observed.snapshot import Snapshot
from mig_fleet.rollout.owner import release_left_nodes
from mig_fleet.rollout.wave import Props
from tests.memory.api import MemoryCluster
from tests.memory.fleet import DENSE, OPERATOR, PROBES, Fleet

PROVIDER, GUARD = ClusterOwnerProvider(), DestroyGuardProvider()
UNREACHABLE = "the cluster does not answer"
OURS, THEIRS = "aaaaaaaaaaaa acme/mig-fleet/prod", "bbbbbbbbbbbb acme/gpus/prod"


@pytest.fixture(autouse=True)
def in_memory(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (destroy_guard, owner):
        monkeypatch.setattr(module, "Cluster", lambda _args: MemoryCluster(fleet))


def inputs(**changes: Any) -> Props:
    """What a program passes."""
    return {
        "cluster": {},
        "namespace": OPERATOR,
        "reportsNamespace": PROBES,
        "stack": "acme/mig-fleet/prod",
        "takeOver": "",
        **changes,
    }


def record(fleet: Fleet, text: str, *nodes: str) -> None:
    """Record an owner on the layout file and on nodes."""
    fleet.config_maps[OPERATOR, labels.LAYOUTS_CONFIG_MAP]["metadata"]["annotations"] = {labels.OWNER: text}
    for name in nodes:
        fleet.patch(name, {"metadata": {"annotations": {labels.OWNER: text, labels.WAVE: "pool-wave-0"}}})


def test_a_new_stack_gets_an_id_that_it_keeps() -> None:
    first = PROVIDER.check({}, inputs())
    assert first.failures == []
    assert re.fullmatch("[0-9a-f]{12} acme/mig-fleet/prod", first.inputs["owner"])
    assert PROVIDER.check(first.inputs, inputs()).inputs == first.inputs
    assert PROVIDER.check({}, inputs()).inputs["owner"] != first.inputs["owner"], "two stacks of the same name differ"
    created = PROVIDER.create(first.inputs)
    assert (created.outs or {})["owner"] == first.inputs["owner"]


def test_a_renamed_stack_keeps_its_id_and_is_updated(fleet: Fleet) -> None:
    record(fleet, OURS, "n1")
    before = inputs(owner=OURS)
    found = PROVIDER.check(before, inputs(stack="acme/mig-fleet/europe"))
    assert (found.inputs["owner"], found.failures) == ("aaaaaaaaaaaa acme/mig-fleet/europe", [])
    result = PROVIDER.diff("id", before, found.inputs)
    assert (result.changes, result.replaces or []) == (True, [])


def test_another_stacks_cluster_fails_the_check_and_nothing_is_written(fleet: Fleet) -> None:
    record(fleet, THEIRS, "n1", "n2")
    for olds in ({}, inputs(owner=OURS)):
        (failure,) = PROVIDER.check(olds, inputs()).failures
        assert failure.reason.startswith(
            "the cluster is owned by stack acme/gpus/prod (bbbbbbbbbbbb), as recorded on ConfigMap mig-fleet-layouts "
            "and nodes n1, n2; nothing was changed."
        )
    assert fleet.writes() == []


def test_a_take_over_names_the_recorded_owner_and_may_stay_in_the_stack_file(fleet: Fleet) -> None:
    record(fleet, THEIRS, "n1")
    before = inputs(owner=OURS)
    taking = PROVIDER.check(before, inputs(takeOver=THEIRS))
    assert taking.failures == []
    (failure,) = PROVIDER.check(before, inputs(takeOver="acme/gpus/prod")).failures
    assert "cluster.takeOver is 'acme/gpus/prod', which is not the id of this owner." in failure.reason
    record(fleet, taking.inputs["owner"], "n1")
    again = PROVIDER.check(taking.inputs, inputs(takeOver=THEIRS))
    assert (again.inputs, again.failures) == (taking.inputs, [])
    assert PROVIDER.diff("id", taking.inputs, again.inputs).changes is False


def test_two_stacks_that_both_kept_take_over_do_not_take_the_cluster_from_each_other(fleet: Fleet) -> None:
    record(fleet, THEIRS)
    ours = PROVIDER.check(inputs(owner=OURS), inputs(takeOver=THEIRS)).inputs
    record(fleet, ours["owner"])
    their_settings = {"stack": "acme/gpus/prod", "takeOver": ours["owner"]}
    theirs = PROVIDER.check(inputs(owner=THEIRS), inputs(**their_settings)).inputs
    record(fleet, theirs["owner"])
    for olds in (ours, inputs(owner=OURS), {}):
        (failure,) = PROVIDER.check(olds, inputs(takeOver=THEIRS)).failures
        assert f"cluster.takeOver is '{THEIRS}', which is not the id of this owner." in failure.reason
    assert PROVIDER.check(theirs, inputs(**their_settings)).failures == []


def move_file(fleet: Fleet, namespace: str) -> None:
    """The owner of the cluster has another ``operator.namespace``."""
    file = fleet.config_maps.pop((OPERATOR, labels.LAYOUTS_CONFIG_MAP))
    fleet.config_maps[namespace, labels.LAYOUTS_CONFIG_MAP] = file


def test_an_owner_with_another_operator_namespace_is_found(fleet: Fleet) -> None:
    record(fleet, THEIRS)
    move_file(fleet, "gpus")
    (failure,) = PROVIDER.check({}, inputs()).failures
    assert "as recorded on ConfigMap mig-fleet-layouts in namespace gpus; nothing was changed" in failure.reason
    assert PROVIDER.check({}, inputs(takeOver=THEIRS)).failures == []


def test_a_successor_with_another_namespace_is_recorded_where_the_former_owner_looks(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(fleet, OURS)
    monkeypatch.setattr(layout_file, "Cluster", lambda _args: MemoryCluster(fleet))
    monkeypatch.setattr(layout_file, "observe", lambda *_: Snapshot())
    fleet.config_maps[PROBES, labels.LAYOUTS_CONFIG_MAP] = {"metadata": {}, "data": {}}
    file = parted.dump([DENSE])
    props = {"cluster": {}, "namespace": PROBES, "file": file, "owner": THEIRS, "takeOver": OURS}
    layout_file.LayoutFileProvider().create(props)
    (failure,) = PROVIDER.check(inputs(owner=OURS), inputs()).failures
    assert "It was taken over from this stack." in failure.reason
    with pytest.raises(DestroyRefused, match="the cluster is owned by stack acme/gpus/prod"):
        GUARD.delete("id", {"cluster": {}, "namespace": OPERATOR, "owner": OURS})
    theirs = {"namespace": PROBES, "stack": "acme/gpus/prod"}
    assert PROVIDER.check(inputs(**theirs, owner=THEIRS), inputs(**theirs)).failures == []


def test_other_namespaces_are_listed_only_if_ours_has_no_record(fleet: Fleet) -> None:
    record(fleet, OURS, "n1")
    assert PROVIDER.check(inputs(owner=OURS), inputs()).failures == []
    assert "/api/v1/configmaps" not in {path for _, path, _ in fleet.requests}


def test_a_user_who_may_not_list_other_namespaces_is_warned(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warnings.append)
    fleet.config_maps.clear()
    fleet.fail_requests("GET", "/api/v1/configmaps$", Forbidden("no right"))
    assert PROVIDER.check({}, inputs()).failures == []
    assert warnings == [
        "whether another stack owns the cluster from another namespace was not checked: no right; grant the right to "
        "list configmaps in all namespaces"
    ]


@pytest.mark.parametrize("warn", [False, True])
def test_an_unreachable_cluster_fails_the_check_unless_the_stack_has_a_warning_instead(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, warn: bool
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warnings.append)
    fleet.fail_requests("GET", "/api/v1/nodes", ClusterUnreachable(UNREACHABLE))
    news = inputs(cluster={"onUnreachable": "warn"} if warn else {})
    found = PROVIDER.check(inputs(owner=OURS), news)
    assert found.inputs["owner"] == OURS
    assert [each.reason.partition(";")[0] for each in found.failures] == ([] if warn else [UNREACHABLE])
    assert warnings == (["the cluster's owner: drift was not checked: the cluster does not answer"] if warn else [])


def test_a_right_that_is_missing_fails_the_check_before_anything_else_is_read(fleet: Fleet) -> None:
    fleet.user_lacks |= {"*", "patch nodes", "list nodes"}
    (failure,) = PROVIDER.check({}, inputs(uses=[])).failures
    assert failure.reason == (
        "the user of this kubeconfig may not list, patch nodes; `mig-fleet rights --stack prod` prints roles that "
        "allow all that it needs"
    )
    assert {path for _, path, _ in fleet.requests} == {REVIEWS}


def test_only_what_the_stack_does_must_be_allowed(fleet: Fleet) -> None:
    fleet.user_lacks |= {"*", "create pods/eviction"}
    assert PROVIDER.check({}, inputs(uses=[])).failures == []
    (failure,) = PROVIDER.check({}, inputs(uses=["onUserPods: evict"])).failures
    assert "may not create pods/eviction;" in failure.reason


def test_a_program_that_does_not_say_what_it_does_is_not_checked(fleet: Fleet) -> None:
    fleet.user_lacks |= {"*", "patch nodes"}
    assert PROVIDER.check({}, inputs()).failures == []
    assert not any(path == REVIEWS for _, path, _ in fleet.requests)


def test_what_a_stack_does_is_no_change_of_its_own(fleet: Fleet) -> None:
    before = PROVIDER.check({}, inputs(uses=[])).inputs
    assert PROVIDER.diff("id", before, PROVIDER.check(before, inputs(uses=["selector"])).inputs).changes is False


def test_an_update_checks_the_owner_that_a_preview_with_a_warning_could_not_check(fleet: Fleet) -> None:
    unreachable = ClusterUnreachable(UNREACHABLE)
    fleet.fail_requests("GET", "/api/v1/nodes", unreachable)
    before = inputs(owner=OURS, cluster={"onUnreachable": "warn"})
    news = PROVIDER.check(before, before).inputs
    assert news["drift"] == [owner.UNCHECKED]
    assert PROVIDER.diff("id", before, news).changes is True
    fleet.fail_requests("GET", "/api/v1/nodes", unreachable)
    with pytest.raises(ClusterOwned, match=UNREACHABLE):
        PROVIDER.update("id", before, news)
    assert PROVIDER.update("id", before, news).outs == {
        **before,
        "uid": fleet.cluster_uid,
        "server": MemoryCluster.server,
    }
    record(fleet, THEIRS)
    with pytest.raises(ClusterOwned, match="the cluster is owned by stack acme/gpus/prod"):
        PROVIDER.update("id", before, news)


def test_a_guard_lets_the_owner_destroy_and_no_other_stack(fleet: Fleet) -> None:
    guard = {"cluster": {}, "namespace": OPERATOR, "owner": OURS}
    for recorded in (OURS, "aaaaaaaaaaaa acme/mig-fleet/old-name"):
        record(fleet, recorded)
        GUARD.delete("id", guard)
    fleet.config_maps.clear()
    GUARD.delete("id", guard)


def test_the_destroy_of_a_stack_that_lost_the_cluster_names_the_owner_and_the_way_out(fleet: Fleet) -> None:
    record(fleet, THEIRS)
    with pytest.raises(DestroyRefused) as refused:
        GUARD.delete("id", {"cluster": {}, "namespace": OPERATOR, "owner": OURS})
    assert str(refused.value) == (
        "the cluster is owned by stack acme/gpus/prod (bbbbbbbbbbbb), as ConfigMap mig-fleet-layouts records; nothing "
        "was changed. `pulumi stack rm --force --preserve-config acme/mig-fleet/prod` forgets acme/mig-fleet/prod "
        "without changing the cluster"
    )


def test_without_a_layout_file_the_nodes_decide_who_may_destroy(fleet: Fleet) -> None:
    record(fleet, OURS)
    fleet.config_maps.clear()
    fleet.patch("n2", {"metadata": {"annotations": {labels.OWNER: THEIRS, labels.WAVE: "pool-wave-0"}}})
    with pytest.raises(DestroyRefused, match=r"owned by stack acme/gpus/prod \(bbbbbbbbbbbb\), as node n2 records"):
        GUARD.delete("id", {"cluster": {}, "namespace": OPERATOR, "owner": OURS})


def test_a_destroy_releases_nodes_that_no_wave_in_the_state_knows(fleet: Fleet) -> None:
    """The first update of their wave was interrupted, so the wave is not in the state."""
    fleet.patch("n1", {"metadata": {"annotations": {labels.OWNER: OURS, labels.WAVE: "pool-wave-0"}}})
    fleet.patch("n1", {"spec": {"taints": [{"key": labels.TAINT, "effect": "NoSchedule"}]}})
    fleet.patch("n2", {"metadata": {"annotations": {labels.OWNER: THEIRS, labels.WAVE: "pool-wave-0"}}})
    release_left_nodes(MemoryCluster(fleet), OURS)
    assert fleet.ownership_annotations("n1") == {}
    assert not fleet.nodes["n1"]["spec"].get("taints")
    assert fleet.nodes["n2"]["metadata"]["annotations"][labels.OWNER] == THEIRS
    fleet.clear_requests()
    release_left_nodes(MemoryCluster(fleet), "")
    assert fleet.writes() == []


def test_a_guard_is_updated_with_the_owner_that_its_deletion_compares() -> None:
    props = {"cluster": {}, "namespace": OPERATOR, "owner": OURS}
    assert GUARD.check(props, props).inputs == props
    assert GUARD.diff("id", props, props).changes is False
    assert GUARD.diff("id", props, {**props, "owner": THEIRS}).changes is True
    assert (GUARD.create(props).outs, GUARD.update("id", {}, props).outs) == (props, props)
