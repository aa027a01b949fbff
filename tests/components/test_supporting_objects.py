"""The resource that watches our own objects: what a preview shows, and what an update restores."""

import copy
import json
from typing import Any

import pulumi
import pytest

from mig_fleet.cluster.errors import ClusterUnreachable, Forbidden
from mig_fleet.components import supporting_objects
from mig_fleet.components.supporting_objects import SupportingObjectsProvider
from mig_fleet.rollout import supporting_objects as restoring
from mig_fleet.rollout.supporting_objects import SupportingObjectsFailed
from tests.memory.api import MemoryCluster
from tests.memory.fleet import Fleet

PROVIDER = SupportingObjectsProvider()
ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "mig-probe"},
    "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}],
}
DAEMON_SET = {
    "apiVersion": "apps/v1",
    "kind": "DaemonSet",
    "metadata": {"name": "mig-probe", "namespace": "mig-fleet"},
    "spec": {"template": {"spec": {"containers": [{"name": "probe", "image": "python"}]}}},
}
CLUSTER_POLICY = {
    "apiVersion": "nvidia.com/v1",
    "kind": "ClusterPolicy",
    "metadata": {"name": "cluster-policy"},
    "spec": {"migManager": {"config": {"name": "mig-fleet-layouts"}}},
}
ROLE_PATH = "/apis/rbac.authorization.k8s.io/v1/clusterroles/mig-probe"
DAEMON_SET_PATH = "/apis/apps/v1/namespaces/mig-fleet/daemonsets/mig-probe"
POLICY_PATH = "/apis/nvidia.com/v1/clusterpolicies/cluster-policy"
ROLE_MISSING = "object missing: ClusterRole mig-probe"


@pytest.fixture
def installed(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """All objects are as declared; the ClusterPolicy has other fields, too."""
    for module in (supporting_objects, restoring):
        monkeypatch.setattr(module, "Cluster", lambda _args: MemoryCluster(fleet))
    monkeypatch.setattr(restoring, "time", fleet.clock)
    policy: dict[str, Any] = copy.deepcopy(CLUSTER_POLICY)
    policy["spec"]["driver"] = {"enabled": False}
    fleet.objects |= {
        ROLE_PATH: copy.deepcopy(ROLE),
        DAEMON_SET_PATH: copy.deepcopy(DAEMON_SET),
        POLICY_PATH: policy,
    }
    return fleet


def properties(*objects: Any, **changes: Any) -> dict[str, Any]:
    return {
        "cluster": {},
        "namespace": "gpu-operator",
        "objects": [json.dumps(each) for each in objects or (ROLE, DAEMON_SET)],
        "chartObjects": [json.dumps(CLUSTER_POLICY)],
        **changes,
    }


def drift(news: dict[str, Any], olds: dict[str, Any] | None = None) -> list[str]:
    found = PROVIDER.check(news if olds is None else olds, news)
    assert found.failures == []
    assert PROVIDER.diff("id", news, found.inputs).changes is bool(found.inputs.get("drift"))
    lines: list[str] = found.inputs.get("drift", [])
    return lines


def test_objects_that_are_as_declared_have_no_diff(installed: Fleet) -> None:
    assert drift(properties()) == []
    assert installed.writes() == []


def test_a_first_preview_compares_nothing(installed: Fleet) -> None:
    installed.objects.clear()
    assert "drift" not in PROVIDER.check({}, properties()).inputs
    assert installed.requests == []


def test_what_others_deleted_or_changed_is_named_and_restored(installed: Fleet) -> None:
    del installed.objects[ROLE_PATH]
    installed.objects[DAEMON_SET_PATH]["spec"]["template"]["spec"]["containers"] = [{"name": "probe", "image": "x"}]
    installed.objects[POLICY_PATH]["spec"]["migManager"]["config"]["name"] = "custom"
    assert drift(properties()) == [
        ROLE_MISSING,
        "object changed: DaemonSet mig-fleet/mig-probe: spec.template.spec.containers[probe].image is 'x', "
        "expected 'python'",
        "object changed: ClusterPolicy cluster-policy: spec.migManager.config.name is 'custom', "
        "expected 'mig-fleet-layouts'",
    ]
    result = PROVIDER.update("id", properties(), properties(drift=["x"]))
    assert result.outs == properties(), "drift is not stored"
    assert drift(properties()) == []
    assert installed.objects[POLICY_PATH]["spec"]["driver"] == {"enabled": False}


def test_an_object_that_the_program_changes_is_no_drift(installed: Fleet) -> None:
    new = {**ROLE, "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list"]}]}
    found = PROVIDER.check(properties(), properties(new, DAEMON_SET))
    assert "drift" not in found.inputs
    assert PROVIDER.diff("id", properties(), found.inputs).changes is True


def test_a_missing_object_that_the_program_changes_needs_a_refresh(installed: Fleet) -> None:
    """Pulumi's own update of the object comes first, and fails."""
    del installed.objects[ROLE_PATH]
    new = {**ROLE, "rules": []}
    assert PROVIDER.check(properties(), properties(new, DAEMON_SET)).inputs["drift"] == [
        f"{ROLE_MISSING}, and this update changes it: run `pulumi up --refresh`"
    ]


def test_an_object_that_may_not_be_read_is_a_warning_with_the_reason(
    installed: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warnings.append)
    installed.fail_requests("GET", "clusterroles", Forbidden("the cluster refuses GET x: no right"))
    del installed.objects[DAEMON_SET_PATH]
    assert drift(properties()) == ["object missing: DaemonSet mig-fleet/mig-probe"]
    assert warnings == [
        "supporting objects: the cluster refuses GET x: no right; "
        "it was not compared (docs/rollout.md lists the rights)"
    ]


@pytest.mark.parametrize("warn", [False, True])
def test_an_unreachable_cluster_fails_the_preview_unless_the_stack_wants_a_warning(
    installed: Fleet, monkeypatch: pytest.MonkeyPatch, warn: bool
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warnings.append)
    installed.fail_requests("GET", ".", ClusterUnreachable("the cluster does not answer"), times=9)
    props = properties(cluster={"onUnreachable": "warn"} if warn else {})
    found = PROVIDER.check(props, props)
    reasons = [failure.reason.partition(";")[0] for failure in found.failures]
    assert reasons == ([] if warn else ["the cluster does not answer"])
    assert warnings == (["supporting objects: drift was not checked: the cluster does not answer"] if warn else [])


def test_an_update_that_cannot_restore_an_object_fails_with_the_reason_and_the_command(installed: Fleet) -> None:
    del installed.objects[ROLE_PATH]
    installed.fail_requests("PATCH", "clusterroles", Forbidden("the cluster refuses PATCH x: no right"), times=9)
    with pytest.raises(SupportingObjectsFailed) as raised:
        PROVIDER.update("id", properties(), properties())
    assert str(raised.value).splitlines() == [
        "not every supporting object could be restored:",
        f"  {ROLE_MISSING}",
        "    the cluster refuses PATCH x: no right",
        "    create it again: pulumi up --refresh",
        "Then run `pulumi up` again",
    ]


def test_a_field_that_never_changes_needs_a_deletion(installed: Fleet) -> None:
    """The API server refuses a change of `roleRef`."""
    binding = {"apiVersion": ROLE["apiVersion"], "kind": "RoleBinding", "metadata": {"name": "b", "namespace": "n"}}
    path = "/apis/rbac.authorization.k8s.io/v1/namespaces/n/rolebindings/b"
    installed.objects[path] = {**binding, "roleRef": {"name": "other"}}
    installed.fail_requests("PATCH", "rolebindings", Forbidden("cannot change roleRef"), times=9)
    with pytest.raises(SupportingObjectsFailed, match="creates it again: kubectl delete -n n rolebinding b"):
        PROVIDER.update("id", properties(), properties({**binding, "roleRef": {"name": "mig-probe"}}))


def test_a_missing_cluster_policy_is_not_created_from_a_few_fields(installed: Fleet) -> None:
    del installed.objects[POLICY_PATH]
    with pytest.raises(SupportingObjectsFailed, match="helm -n gpu-operator get manifest gpu-operator"):
        PROVIDER.update("id", properties(), properties())
    assert POLICY_PATH not in installed.objects


def test_an_object_that_is_being_deleted_is_created_again_once_it_is_gone(installed: Fleet) -> None:
    installed.objects[ROLE_PATH]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    installed.clock.after(5, lambda: installed.objects.pop(ROLE_PATH))
    PROVIDER.update("id", properties(), properties())
    assert "deletionTimestamp" not in installed.objects[ROLE_PATH]["metadata"]


def test_a_deletion_that_does_not_end_is_an_error_that_shows_where_to_look(installed: Fleet) -> None:
    installed.objects[ROLE_PATH]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    with pytest.raises(SupportingObjectsFailed, match="see what keeps it: kubectl get clusterrole mig-probe -o yaml"):
        PROVIDER.update("id", properties(), properties())
    assert restoring.RESTORE_S < installed.clock.slept < restoring.RESTORE_S + 5


def test_the_probes_program_is_restored_from_this_installation(installed: Fleet) -> None:
    from mig_fleet.components.probe import zipapp

    name = f"mig-probe-{zipapp.digest(zipapp.build())}"
    program = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "x"}, "immutable": True}
    other = {**program, "metadata": {"name": "mig-probe-0000000000", "namespace": "x"}}
    with pytest.raises(SupportingObjectsFailed, match="its content is not known to this version of mig-fleet"):
        PROVIDER.update("id", properties(), properties(program, other))
    (written,) = (body for method, path, body in installed.requests if method == "PATCH" and path.endswith(name))
    assert set(written["binaryData"]) == {"mig-probe.pyz"}
