"""The cluster of the preview is the cluster of the update: another one is refused, and nothing is written to it."""

from typing import Any

import pulumi
import pytest

from mig_fleet.cluster.errors import ClusterUnreachable, Forbidden
from mig_fleet.components import destroy_guard, owner
from mig_fleet.components.destroy_guard import DestroyGuardProvider, DestroyRefused
from mig_fleet.components.owner import ClusterOwned, ClusterOwnerProvider
from mig_fleet.model import labels
from mig_fleet.observed.owners.identity import PATH
from mig_fleet.rollout.wave import Props
from tests.memory.api import MemoryCluster
from tests.memory.fleet import OPERATOR, PROBES, Fleet

PROVIDER, GUARD = ClusterOwnerProvider(), DestroyGuardProvider()
OURS = "aaaaaaaaaaaa acme/mig-fleet/prod"
OTHER = "ffffffff-1111-4222-8333-444455556666"
NO_RIGHT = Forbidden('namespaces "kube-system" is forbidden')


@pytest.fixture(autouse=True)
def in_memory(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (destroy_guard, owner):
        monkeypatch.setattr(module, "Cluster", lambda _args: MemoryCluster(fleet))
    layout_file = fleet.config_maps[OPERATOR, labels.LAYOUTS_CONFIG_MAP]
    layout_file["metadata"]["annotations"] = {labels.OWNER: OURS}


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", found.append)
    return found


def program(**changes: Any) -> Props:
    """What a program passes."""
    known = {"cluster": {}, "namespace": OPERATOR, "reportsNamespace": PROBES, "stack": "acme/mig-fleet/prod"}
    return {**known, "takeOver": "", "declaredUid": "", **changes}


def deployed(fleet: Fleet, **changes: Any) -> Props:
    """The inputs in the state of a stack that was deployed to the fleet's cluster."""
    return program(owner=OURS, uid=fleet.cluster_uid, server=MemoryCluster.server, **changes)


def reasons(olds: Props, news: Props) -> list[str]:
    return [failure.reason for failure in PROVIDER.check(olds, news).failures]


def test_the_cluster_that_is_reached_is_in_the_inputs_and_outputs(fleet: Fleet) -> None:
    inputs = PROVIDER.check({"owner": OURS}, program()).inputs
    assert (inputs["uid"], inputs["server"]) == (fleet.cluster_uid, MemoryCluster.server)
    assert (PROVIDER.create(inputs).outs or {})["uid"] == fleet.cluster_uid
    assert PROVIDER.diff("id", inputs, PROVIDER.check(inputs, program()).inputs).changes is False


def test_another_cluster_fails_the_check_with_both_clusters_and_the_ways_on(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = deployed(fleet)
    uid, fleet.cluster_uid = fleet.cluster_uid, OTHER
    monkeypatch.setattr(MemoryCluster, "server", "https://other:6443")
    assert reasons(before, program()) == [
        f"this stack was deployed to the cluster {uid} at https://memory:6443, and the kubeconfig reaches another one, "
        f"{OTHER} at https://other:6443; nothing was changed. `kubectl config use-context` or `cluster.context` "
        "chooses another context than 'memory'. To move the stack to this cluster on purpose: `pulumi config set "
        f"--path mig-fleet:cluster.uid {OTHER}`, then `pulumi up --refresh`."
    ]


def test_a_cluster_that_was_created_again_at_the_same_address_is_named_as_that(fleet: Fleet) -> None:
    before = deployed(fleet)
    uid, fleet.cluster_uid = fleet.cluster_uid, OTHER
    (reason,) = reasons(before, program())
    assert reason == (
        "the cluster at https://memory:6443 was created again, or another one has its address: the UID of its "
        f"namespace kube-system is {OTHER}, and was {uid} when this stack was deployed; nothing was changed. To deploy "
        "the stack to the new cluster: `pulumi config set --path "
        f"mig-fleet:cluster.uid {OTHER}`, then `pulumi up --refresh`."
    )


def test_the_setting_moves_a_stack_on_purpose_and_refuses_every_other_cluster(fleet: Fleet) -> None:
    before = deployed(fleet)
    uid, fleet.cluster_uid = fleet.cluster_uid, OTHER
    moved = PROVIDER.check(before, program(declaredUid=OTHER))
    assert (moved.failures, moved.inputs["uid"]) == ([], OTHER)
    assert PROVIDER.diff("id", before, moved.inputs).changes is True
    assert (PROVIDER.update("id", before, moved.inputs).outs or {})["uid"] == OTHER
    for olds in ({}, before):
        (reason,) = reasons(olds, program(declaredUid=uid))
        assert reason.startswith(f"cluster.uid names the cluster {uid}, and the kubeconfig reaches {OTHER} at https://")


def test_an_update_compares_the_cluster_again_right_before_it_is_recorded(fleet: Fleet) -> None:
    inputs = PROVIDER.check({"owner": OURS}, program()).inputs
    fleet.cluster_uid = OTHER
    for write in (lambda: PROVIDER.create(inputs), lambda: PROVIDER.update("id", inputs, inputs)):
        with pytest.raises(ClusterOwned, match=f"is {OTHER}, and was {inputs['uid']}"):
            write()
    assert fleet.writes() == []


def test_a_user_without_the_right_is_warned_once_and_the_known_cluster_is_kept(
    fleet: Fleet, warnings: list[str]
) -> None:
    before = deployed(fleet)
    fleet.fail_requests("GET", PATH, NO_RIGHT)
    found = PROVIDER.check(before, program())
    assert (found.failures, found.inputs["uid"]) == ([], fleet.cluster_uid)
    (warning,) = warnings
    assert warning.startswith("it is not checked whether the kubeconfig reaches the cluster")
    assert "the right to get the namespace kube-system" in warning
    assert PROVIDER.diff("id", before, found.inputs).changes is False


def test_a_cluster_that_no_preview_reached_is_recorded_by_the_update(fleet: Fleet, warnings: list[str]) -> None:
    fleet.fail_requests("GET", PATH, ClusterUnreachable("the cluster does not answer"))
    found = PROVIDER.check({}, program(cluster={"onUnreachable": "warn"}))
    assert (found.failures, found.inputs["uid"], len(warnings)) == ([], "", 1)
    found.inputs["owner"] = OURS
    outs = PROVIDER.create(found.inputs).outs or {}
    assert outs["uid"] == fleet.cluster_uid
    known = PROVIDER.check(found.inputs, program(cluster={"onUnreachable": "warn"}))
    assert PROVIDER.diff("id", outs, known.inputs).changes is False


def test_the_comparison_costs_one_request_in_each_preview(fleet: Fleet) -> None:
    PROVIDER.check(deployed(fleet), program())
    assert [path for _, path, _ in fleet.requests].count(PATH) == 1


def test_a_destroy_deletes_nothing_in_another_cluster(fleet: Fleet) -> None:
    guard = {"cluster": {}, "namespace": OPERATOR, "owner": OURS, "uid": fleet.cluster_uid}
    GUARD.delete("id", guard)
    GUARD.delete("id", {key: value for key, value in guard.items() if key != "uid"})
    fleet.cluster_uid = OTHER
    with pytest.raises(DestroyRefused) as refused:
        GUARD.delete("id", guard)
    assert str(refused.value) == (
        f"this stack was deployed to the cluster {guard['uid']}, and the kubeconfig reaches another one, {OTHER} at "
        "https://memory:6443; nothing was changed. `kubectl config use-context` or `cluster.context` chooses another "
        "context than 'memory'; `pulumi stack rm --force --preserve-config acme/mig-fleet/prod` forgets "
        "acme/mig-fleet/prod if its cluster is gone"
    )
    assert GUARD.diff("id", guard, {**guard, "uid": OTHER}).changes is True
