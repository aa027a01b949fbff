"""The cluster of the preview is the cluster of the update: another one is refused, and nothing is written to it."""

from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from mig_fleet.cluster.errors import ClusterUnreachable, Forbidden
from mig_fleet.components import destroy_guard, layout_file, owner, supporting_objects
from mig_fleet.components.destroy_guard import DestroyGuardProvider, DestroyRefused
from mig_fleet.components.layout_file import LayoutFileProvider
from mig_fleet.components.owner import ClusterOwned, ClusterOwnerProvider
from mig_fleet.components.provider import Provider
from mig_fleet.components.supporting_objects import SupportingObjectsProvider
from mig_fleet.failures import CleanError
from mig_fleet.model import labels, parted
from mig_fleet.observed.owners.identity import PATH
from mig_fleet.rollout.wave import Props
from tests.memory.api import MemoryCluster
from tests.memory.fleet import DENSE, OPERATOR, PROBES, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, a_wave

PROVIDER, GUARD = ClusterOwnerProvider(), DestroyGuardProvider()
OURS = "aaaaaaaaaaaa acme/mig-fleet/prod"
OTHER = "ffffffff-1111-4222-8333-444455556666"
NO_RIGHT = Forbidden('namespaces "kube-system" is forbidden')


@pytest.fixture(autouse=True)
def in_memory(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (destroy_guard, layout_file, owner, supporting_objects):
        monkeypatch.setattr(module, "Cluster", lambda _args: MemoryCluster(fleet))
    file = fleet.config_maps[OPERATOR, labels.LAYOUTS_CONFIG_MAP]
    file["metadata"]["annotations"] = {labels.OWNER: OURS}


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
        f"--path mig-fleet:cluster.uid {OTHER}`, `pulumi preview`, which refuses another cluster, then "
        "`pulumi up --refresh`."
    ]


def test_a_cluster_that_was_created_again_at_the_same_address_is_named_as_that(fleet: Fleet) -> None:
    before = deployed(fleet)
    uid, fleet.cluster_uid = fleet.cluster_uid, OTHER
    (reason,) = reasons(before, program())
    assert reason == (
        "the cluster at https://memory:6443 was created again, or another one has its address: the UID of its "
        f"namespace kube-system is {OTHER}, and was {uid} when this stack was deployed; nothing was changed. To deploy "
        "the stack to the new cluster: `pulumi config set --path "
        f"mig-fleet:cluster.uid {OTHER}`, `pulumi preview`, which refuses another cluster, then "
        "`pulumi up --refresh`."
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


WAVE = a_wave("n1", owner=OURS)
FILE = {"cluster": {}, "namespace": OPERATOR, "owner": OURS, "file": parted.dump([DENSE])}
OBJECTS: Props = {"cluster": {}, "namespace": OPERATOR, "objects": [], "chartObjects": []}
RECORDED: dict[type[Provider], tuple[Provider, Props]] = {
    type(provider): (provider, props)
    for provider, props in (
        (ASSIGNMENT, WAVE),
        (VERIFICATION, WAVE),
        (LayoutFileProvider(), FILE),
        (SupportingObjectsProvider(), OBJECTS),
    )
}
"""Provider → an instance, and what a state of an older version has of its resource: no cluster."""

ELSEWHERE = {ClusterOwnerProvider, DestroyGuardProvider}
"""Above: the owner compares what it finds itself, and the guard writes nothing before its deletion."""

Call = Callable[[Provider, Props], object]
CALLS: dict[str, Call] = {
    "create": lambda provider, props: provider.create(props),
    "update": lambda provider, props: provider.update("id", props, props),
    "delete": lambda provider, props: provider.delete("id", props),
}


def test_each_provider_of_ours_is_asked() -> None:
    ours = {kind for kind in Provider.__subclasses__() if kind.__module__.startswith("mig_fleet.")}
    assert ours == {*RECORDED, *ELSEWHERE}


@pytest.mark.parametrize(
    ("kind", "call"),
    [(kind, call) for kind in RECORDED for call in CALLS if call in vars(kind)],
    ids=lambda each: each if isinstance(each, str) else each.__name__,
)
def test_each_write_and_each_deletion_is_refused_in_another_cluster(
    fleet: Fleet, kind: type[Provider], call: str
) -> None:
    """After a destroy that failed, or a first update that did, no guard is in the state."""
    provider, props = RECORDED[kind]
    uid, fleet.cluster_uid = fleet.cluster_uid, OTHER
    with pytest.raises(CleanError, match=f"deployed to the cluster {uid}, and the kubeconfig reaches .*{OTHER}"):
        CALLS[call](provider, {**props, "uid": uid})
    assert fleet.writes() == []


@pytest.mark.parametrize("kind", RECORDED, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("known", [False, True])
def test_a_deletion_goes_on_in_the_same_cluster_and_in_any_if_the_state_names_none(
    fleet: Fleet, kind: type[Provider], known: bool
) -> None:
    provider, props = RECORDED[kind]
    provider.delete("id", {**props, "uid": fleet.cluster_uid} if known else props)
    assert [path for _, path, _ in fleet.requests].count(PATH) == (known and "delete" in vars(kind))


@pytest.mark.parametrize("kind", [*RECORDED, DestroyGuardProvider], ids=lambda kind: kind.__name__)
def test_an_update_records_the_cluster_where_the_state_of_an_older_version_names_none(
    fleet: Fleet, kind: type[Provider]
) -> None:
    provider, props = RECORDED.get(kind, (GUARD, FILE))
    is_deleted = "delete" in vars(kind)
    assert provider.diff("id", props, {**props, "uid": fleet.cluster_uid}).changes is is_deleted
    assert provider.diff("id", props, {**props, "uid": ""}).changes is False
