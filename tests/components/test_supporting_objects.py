"""The resource that watches our own objects: what a preview shows, and what an update restores."""

import base64
import copy
import json
from typing import Any

import pulumi
import pytest

from mig_fleet.cluster.errors import ClusterUnreachable, Conflict, Forbidden, Invalid
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
    "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "watch"]}],
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
    shown = found.inputs["plannedChanges"]
    assert shown == ["ClusterRole mig-probe is declared otherwise"], "a preview prints it instead of all objects"


def test_a_missing_object_that_the_program_changes_needs_a_refresh(installed: Fleet) -> None:
    """Pulumi's own update of the object comes first, and fails."""
    del installed.objects[ROLE_PATH]
    new = {**ROLE, "rules": []}
    assert PROVIDER.check(properties(), properties(new, DAEMON_SET)).inputs["drift"] == [
        f"{ROLE_MISSING}, and this update changes it: run `pulumi preview`, which "
        "refuses another cluster, then `pulumi up --refresh`"
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
        "it was not compared (docs/reference/rollout.md lists the rights)"
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
        "    create it again: `pulumi preview`, which refuses another cluster, then `pulumi up --refresh`",
        "Then run `pulumi up` again",
    ]


def test_what_others_added_is_replaced_and_their_labels_stay(installed: Fleet) -> None:
    daemon_set = installed.objects[DAEMON_SET_PATH]
    daemon_set["metadata"] |= {"resourceVersion": "7", "labels": {"team": "a"}}
    daemon_set["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "ssd"}
    installed.objects[ROLE_PATH]["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {"x": "y"}}]}
    PROVIDER.update("id", properties(), properties())
    assert drift(properties()) == []
    (replaced,) = [body for method, path, body in installed.requests if (method, path) == ("PUT", DAEMON_SET_PATH)]
    assert replaced["metadata"]["resourceVersion"] == "7", "another client's write in between must not be lost"
    assert installed.objects[DAEMON_SET_PATH]["metadata"]["labels"] == {"team": "a"}
    assert not [line for line in installed.writes() if line.startswith("DELETE")]


BINDING = {
    "apiVersion": ROLE["apiVersion"],
    "kind": "RoleBinding",
    "metadata": {"name": "mig-probe", "namespace": "mig-fleet"},
}
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/namespaces/mig-fleet/rolebindings"
DECLARED = {**BINDING, "roleRef": {"name": "mig-probe"}}


@pytest.fixture
def other_role(installed: Fleet) -> Fleet:
    """The API server refuses every change of `roleRef`."""
    installed.objects[f"{BINDINGS}/mig-probe"] = {**copy.deepcopy(BINDING), "roleRef": {"name": "other"}}
    installed.objects[f"{BINDINGS}/mig-probe"]["metadata"] |= {"uid": "u"}
    for method in ("PATCH", "PUT"):
        installed.fail_requests(method, "rolebindings", Invalid("cannot change roleRef"))
    return installed


def test_an_object_with_a_field_that_never_changes_is_deleted_and_created_again(other_role: Fleet) -> None:
    other_role.fail_requests("POST", "rolebindings$", Conflict("it exists already"))
    PROVIDER.update("id", properties(), properties(DECLARED))
    assert other_role.objects[f"{BINDINGS}/mig-probe"]["roleRef"] == {"name": "mig-probe"}
    (deleted,) = (body for method, _, body in other_role.requests if method == "DELETE")
    assert deleted == {"preconditions": {"uid": "u"}}


def test_an_object_whose_creation_would_be_refused_is_not_deleted(other_role: Fleet) -> None:
    other_role.fail_requests("PATCH", "rolebindings", Invalid("denied by a policy"), times=9)
    other_role.fail_requests("PUT", "rolebindings", Invalid("denied by a policy"), times=9)
    other_role.fail_requests("POST", "rolebindings$", Invalid("denied by a policy"), times=9)
    with pytest.raises(
        SupportingObjectsFailed, match=r"denied by a policy\n.*kubectl delete -n mig-fleet rolebinding mig-probe"
    ):
        PROVIDER.update("id", properties(), properties(DECLARED))
    assert not [line for line in other_role.writes() if line.startswith("DELETE")]


class MutatedCluster(MemoryCluster):
    """A webhook of the cluster adds a node selector to each DaemonSet that is written."""

    def replace(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        super().replace(path, body)
        self.api.objects[path]["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "ssd"}
        return self.get(path)


def test_what_a_webhook_adds_to_each_write_is_an_error_and_not_reported_as_restored(
    installed: Fleet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(restoring, "Cluster", lambda _args: MutatedCluster(installed))
    installed.objects[DAEMON_SET_PATH]["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "ssd"}
    del installed.objects[ROLE_PATH]
    with pytest.raises(
        SupportingObjectsFailed, match="a mutating admission webhook or policy of the cluster does that"
    ):
        PROVIDER.update("id", properties(), properties())
    assert capsys.readouterr().out.splitlines() == ["restored ClusterRole mig-probe"]


def test_what_another_client_changes_again_and_again_is_not_reported_as_restored(
    installed: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    def change() -> None:
        installed.objects[DAEMON_SET_PATH]["spec"]["template"]["spec"]["containers"] = [{"name": "probe", "image": "x"}]

    installed.before_request("GET", "daemonsets", change, times=9)
    with pytest.raises(SupportingObjectsFailed, match="image is 'x', expected 'python'"):
        PROVIDER.update("id", properties(), properties())
    assert capsys.readouterr().out == ""
    assert len(installed.writes()) == restoring.ROUNDS


def test_an_object_of_our_name_that_another_client_created_is_left_alone(installed: Fleet) -> None:
    ours = {**ROLE, "metadata": {"name": "mig-probe", "labels": {"app.kubernetes.io/managed-by": "mig-fleet"}}}
    with pytest.raises(SupportingObjectsFailed) as raised:
        PROVIDER.update("id", properties(), properties(ours))
    assert "another client created it without app.kubernetes.io/managed-by=mig-fleet" in str(raised.value)
    assert installed.writes() == []


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


def test_a_namespace_that_a_finalizer_keeps_fails_soon_with_the_finalizer_and_the_command(
    installed: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing can be created in it, so no object in it has advice of its own."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mig-fleet"}}
    message = "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
    condition = {"type": "NamespaceFinalizersRemaining", "status": "True", "message": message}
    installed.objects["/api/v1/namespaces/mig-fleet"] = {
        "metadata": {"name": "mig-fleet", "deletionTimestamp": "2026-01-01T00:00:00Z"},
        "status": {"conditions": [condition]},
    }
    del installed.objects[DAEMON_SET_PATH]
    with pytest.raises(SupportingObjectsFailed) as raised:
        PROVIDER.update("id", properties(), properties(namespace, DAEMON_SET))
    see = "object missing: Namespace mig-fleet: see what keeps it: kubectl get namespace mig-fleet -o yaml"
    assert str(raised.value).splitlines() == [
        "not every supporting object could be restored:",
        "  object missing: Namespace mig-fleet is being deleted",
        f"  object missing: Namespace mig-fleet: {message}",
        f"  {see}",
        "    once it is gone, an update creates it again",
        "  also missing, because they are in it: DaemonSet mig-fleet/mig-probe",
        "Then run `pulumi up` again",
    ]
    assert installed.clock.slept < restoring.HELD_S + 5
    assert see in capsys.readouterr().out, "the user does not wait for that"
    assert installed.writes() == []


def test_the_probes_program_is_restored_from_this_installation(
    installed: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    from mig_fleet.components.probe import zipapp

    name = f"mig-probe-{zipapp.digest(zipapp.build())}"
    program = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "mig-fleet"},
        "immutable": True,
    }
    other = {**program, "metadata": {"name": "mig-probe-0000000000", "namespace": "mig-fleet"}}
    with pytest.raises(SupportingObjectsFailed, match="its content is not known to this version of mig-fleet"):
        PROVIDER.update("id", properties(), properties(program, other))
    (written,) = (body for method, path, body in installed.requests if method == "PATCH" and path.endswith(name))
    assert capsys.readouterr().out == f"restored ConfigMap mig-fleet/{name}\n"
    assert set(written["binaryData"]) == {"mig-probe.pyz"}


@pytest.mark.parametrize("immutable", [False, True])
def test_another_program_of_the_name_is_named_in_a_preview_and_replaced(installed: Fleet, immutable: bool) -> None:
    """One that never changes is deleted and created again."""
    from mig_fleet.components.probe import zipapp

    content = zipapp.build()
    name = f"mig-probe-{zipapp.digest(content)}"
    metadata = {"name": name, "namespace": "mig-fleet"}
    program = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "immutable": True}
    data = {"mig-probe.pyz": "Zm9yZWlnbg=="}
    foreign = {**program, "metadata": {**metadata, "uid": "u"}, "binaryData": data, "immutable": immutable}
    installed.config_maps["mig-fleet", name] = foreign
    assert "binaryData is not the program of which the name has the hash" in " ".join(drift(properties(program)))
    if immutable:
        for method in ("PATCH", "PUT"):
            installed.fail_requests(method, "configmaps", Invalid("field is immutable when `immutable` is set"))
        installed.fail_requests("POST", "configmaps$", Conflict("it exists already"))
    PROVIDER.update("id", properties(), properties(program))
    there = installed.config_maps["mig-fleet", name]
    assert there["binaryData"] == {"mig-probe.pyz": base64.b64encode(content).decode()}
    assert there["immutable"] is True
    assert drift(properties(program)) == []
    assert bool([line for line in installed.writes() if line.startswith("DELETE")]) is immutable
