"""The owner of a cluster: its check comes before every write, and its guard before every deletion."""

import re
from typing import Any

import pulumi
import pytest

from mig_fleet.cluster.errors import ClusterUnreachable
from mig_fleet.components import destroy_guard, owner
from mig_fleet.components.destroy_guard import DestroyGuardProvider, DestroyRefused
from mig_fleet.components.owner import ClusterOwned, ClusterOwnerProvider
from mig_fleet.model import labels
from mig_fleet.rollout.owner import release_left_nodes
from mig_fleet.rollout.wave import Props
from tests.memory.api import MemoryCluster
from tests.memory.fleet import OPERATOR, PROBES, Fleet

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


def test_a_take_over_names_the_stack_and_may_stay_in_the_stack_file(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warnings.append)
    record(fleet, THEIRS, "n1")
    before = inputs(owner=OURS)
    taking = PROVIDER.check(before, inputs(takeOver="acme/gpus/prod"))
    assert (taking.inputs["owner"], taking.failures) == (OURS, [])
    (failure,) = PROVIDER.check(before, inputs(takeOver="acme/gpus/dev")).failures
    assert "cluster.takeOver names another stack, acme/gpus/dev." in failure.reason
    assert warnings == [], "the setting is needed"
    record(fleet, taking.inputs["owner"], "n1")
    assert PROVIDER.check(taking.inputs, inputs(takeOver="acme/gpus/prod")).failures == []
    assert warnings == [owner.TAKEN_OVER]
    assert PROVIDER.diff("id", before, inputs(takeOver="acme/gpus/prod", owner=OURS)).changes is False


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
    assert PROVIDER.update("id", before, news).outs == before
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
