"""How an object in the cluster is compared with its manifest."""

import base64
import copy
import hashlib
import json
from typing import Any

import pytest

from mig_fleet.observed.supporting_objects import (
    is_ours,
    kubectl_arguments,
    object_differences,
    parse_manifests,
    path_of,
    title_of,
    whole_object,
)

ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "mig-probe", "labels": {"app": "probe"}},
    "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "watch"]}],
}
DAEMON_SET: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "DaemonSet",
    "metadata": {"name": "mig-probe", "namespace": "mig-fleet"},
    "spec": {
        "template": {
            "spec": {
                "containers": [{"name": "probe", "image": "python@sha256:1", "env": [{"name": "A", "value": "1"}]}],
                "tolerations": [{"operator": "Exists"}],
            }
        }
    },
}
POLICY: dict[str, Any] = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "p"},
    "spec": {"matchConstraints": {"resourceRules": [{"apiGroups": [""], "resources": ["configmaps"]}]}},
}
POLICY_WITH_DEFAULTS: dict[str, Any] = {
    **POLICY,
    "status": {"observedGeneration": 1},
    "spec": {
        "matchConstraints": {
            "matchPolicy": "Equivalent",
            "namespaceSelector": {},
            "objectSelector": {},
            "resourceRules": [{"apiGroups": [""], "resources": ["configmaps"], "scope": "*"}],
        }
    },
}
PROGRAM_DIGEST = hashlib.sha256(b"program").hexdigest()[:10]
PROGRAM = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": f"mig-probe-{PROGRAM_DIGEST}", "namespace": "mig-fleet", "labels": {"app": "probe"}},
    "immutable": True,
}
PROGRAM_FOUND: dict[str, Any] = {**PROGRAM, "binaryData": {"mig-probe.pyz": base64.b64encode(b"program").decode()}}


def lines(manifest: dict[str, Any], found: dict[str, Any] | None) -> list[str]:
    return [str(difference) for difference in object_differences(manifest, found)]


def changed(manifest: dict[str, Any]) -> dict[str, Any]:
    """A copy that a test changes."""
    return copy.deepcopy(manifest)


def test_an_object_has_a_path_a_title_and_arguments_for_kubectl() -> None:
    assert path_of(ROLE) == "/apis/rbac.authorization.k8s.io/v1/clusterroles/mig-probe"
    assert path_of(PROGRAM) == "/api/v1/namespaces/mig-fleet/configmaps/mig-probe-" + PROGRAM_DIGEST
    policy = {**ROLE, "kind": "ValidatingAdmissionPolicy"}
    assert path_of(policy).endswith("/validatingadmissionpolicies/mig-probe")
    assert title_of(DAEMON_SET) == "DaemonSet mig-fleet/mig-probe"
    assert kubectl_arguments(DAEMON_SET) == "-n mig-fleet daemonset mig-probe"
    assert kubectl_arguments(ROLE) == "clusterrole mig-probe"


def test_a_missing_object_and_one_that_is_being_deleted_are_missing() -> None:
    assert lines(ROLE, None) == ["object missing: ClusterRole mig-probe"]
    found = changed(ROLE)
    found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert lines(ROLE, found) == ["object missing: ClusterRole mig-probe is being deleted"]


def test_what_the_api_server_and_other_controllers_add_is_no_difference() -> None:
    declared = changed(DAEMON_SET)
    declared["spec"]["template"]["spec"]["volumes"] = [{"name": "program", "configMap": {"name": "x"}}]
    found = changed(declared)
    found["metadata"] |= {"uid": "1", "annotations": {"deprecated.daemonset.template.generation": "1"}}
    found["status"] = {"numberReady": 1}
    pod = found["spec"]["template"]["spec"]
    pod |= {"dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "securityContext": {}}
    found["spec"] |= {"revisionHistoryLimit": 10}
    restarted = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
    found["spec"]["template"]["metadata"] = {"creationTimestamp": None, "annotations": restarted}
    pod["containers"][0]["imagePullPolicy"] = "IfNotPresent"
    pod["containers"][0]["env"].insert(0, {"name": "INJECTED", "value": "x"})
    pod["containers"][0] |= {"terminationMessagePolicy": "File", "terminationMessagePath": "/dev/termination-log"}
    pod["volumes"][0]["configMap"]["defaultMode"] = 420
    pod["volumes"].append({"name": "certificates", "emptyDir": {}})
    pod |= {"schedulerName": "default-scheduler", "serviceAccount": "mig-probe", "imagePullSecrets": [{"name": "x"}]}
    assert lines(declared, found) == []
    account = {**changed(PROGRAM), "kind": "ServiceAccount", "secrets": [{"name": "x"}]}
    assert lines({**PROGRAM, "kind": "ServiceAccount"}, account) == []
    assert lines(POLICY, POLICY_WITH_DEFAULTS) == []


ADDED_TO_PODS = {
    "nodeSelector": {"disk": "ssd"},
    "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{}]}}},
    "schedulerName": "other",
    "hostPID": True,
}


@pytest.mark.parametrize("field", ADDED_TO_PODS)
def test_what_others_add_to_the_pods_of_the_probe_is_a_difference(field: str) -> None:
    found = changed(DAEMON_SET)
    found["spec"]["template"]["spec"][field] = ADDED_TO_PODS[field]
    (line,) = lines(DAEMON_SET, found)
    assert line.startswith(f"object changed: DaemonSet mig-fleet/mig-probe: spec.template.spec.{field} is ")
    assert line.endswith(", expected no such field")


DECLARED_PODS = {
    "containers": [
        {
            "name": "probe",
            "image": "docker.io/python:3.13@sha256:1",
            "securityContext": {"readOnlyRootFilesystem": True},
            "resources": {"limits": {"memory": "128Mi"}},
            "volumeMounts": [{"name": "program", "mountPath": "/opt/mig-fleet", "readOnly": True}],
        }
    ],
    "volumes": [{"name": "program", "configMap": {"name": "x"}}],
}


@pytest.mark.parametrize(
    ("at", "field"),
    [
        ("containers.0.securityContext", {"privileged": True}),
        ("containers.0.securityContext", {"runAsUser": 1000}),
        ("containers.0.securityContext", {"appArmorProfile": {"type": "Unconfined"}}),
        ("containers.0.securityContext", {"seLinuxOptions": {"type": "spc_t"}}),
        ("containers.0.resources.limits", {"nvidia.com/mig-1g.10gb": "1"}),
        ("containers.0.resources.limits", {"cpu": "10m"}),
        ("containers.0", {"readinessProbe": {"exec": {"command": ["false"]}}}),
        ("containers.0", {"ports": [{"containerPort": 80, "hostPort": 80}]}),
        ("containers.0", {"imagePullPolicy": "Never"}),
        ("containers.0", {"imagePullPolicy": "Always"}),
        ("containers.0.volumeMounts.0", {"subPath": "other"}),
        ("", {"automountServiceAccountToken": False}),
        ("", {"securityContext": {"runAsUser": 1000}}),
        ("", {"schedulingGates": [{"name": "example.com/wait"}]}),
        ("", {"nodeName": "n1"}),
        ("", {"hostUsers": False}),
        ("", {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["192.0.2.1"]}}),
        ("", {"hostAliases": [{"ip": "192.0.2.1", "hostnames": ["kubernetes.default"]}]}),
        ("volumes.0.configMap", {"items": [{"key": "other", "path": "mig-probe.pyz"}]}),
        ("volumes.0.configMap", {"optional": True}),
    ],
    ids=str,
)
def test_every_field_of_the_probes_pods_that_is_neither_declared_nor_a_default_is_a_difference(
    at: str, field: dict[str, Any]
) -> None:
    declared = changed(DAEMON_SET)
    declared["spec"]["template"]["spec"] = DECLARED_PODS
    found = changed(declared)
    assert lines(declared, found) == []
    there = found["spec"]["template"]["spec"]
    for step in filter(None, at.split(".")):
        there = there[int(step) if step.isdigit() else step]
    there |= field
    added = lines(declared, found)
    assert len(added) == len(field)
    for line, name in zip(added, field, strict=True):
        assert f".{name} is " in line and line.endswith(", expected no such field")


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("python", "Always"),
        ("python:latest@sha256:1", "Always"),
        ("localhost:5000/python@sha256:1", "IfNotPresent"),
        ("python:3.13", "IfNotPresent"),
    ],
)
def test_the_default_pull_policy_is_that_of_the_image(image: str, policy: str) -> None:
    declared = changed(DAEMON_SET)
    declared["spec"]["template"]["spec"]["containers"][0]["image"] = image
    found = changed(declared)
    for each in ("Always", "IfNotPresent"):
        found["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = each
        assert bool(lines(declared, found)) is (each != policy)


@pytest.mark.parametrize("field", [{"minReadySeconds": 9999}, {"revisionHistoryLimit": 1}], ids=str)
def test_every_field_of_the_daemon_set_itself_is_a_difference(field: dict[str, Any]) -> None:
    found = changed(DAEMON_SET)
    found["spec"] |= field
    (line,) = lines(DAEMON_SET, found)
    assert line.endswith("expected no such field")


def test_a_pod_security_label_that_another_user_adds_is_a_difference_and_restored_away() -> None:
    enforce = {"pod-security.kubernetes.io/enforce": "privileged"}
    declared: dict[str, Any] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x", "labels": enforce}}
    found = changed(declared)
    found["metadata"]["labels"] |= {"pod-security.kubernetes.io/enforce-version": "v1.25", "team": "a"}
    (line,) = lines(declared, found)
    assert line.endswith("pod-security.kubernetes.io/enforce-version is 'v1.25', expected no such field")
    assert whole_object(declared, found)["metadata"]["labels"] == {**enforce, "team": "a"}


def test_a_node_label_that_another_user_adds_to_our_selector_is_a_difference_even_if_it_is_empty() -> None:
    declared = changed(DAEMON_SET)
    declared["spec"]["template"]["spec"]["nodeSelector"] = {"capable": "true"}
    found = changed(declared)
    found["spec"]["template"]["spec"]["nodeSelector"]["disk"] = ""
    (line,) = lines(declared, found)
    assert line.endswith("spec.template.spec.nodeSelector.disk is '', expected no such field")


def test_additional_containers_and_arguments_and_another_source_of_a_volume_are_differences() -> None:
    declared = changed(DAEMON_SET)
    declared["spec"]["template"]["spec"]["volumes"] = [{"name": "socket", "hostPath": {"path": "/x"}}]
    found = changed(declared)
    pod = found["spec"]["template"]["spec"]
    pod["containers"][0]["args"] = ["sleep"]
    pod["containers"].append({"name": "sidecar", "image": "mesh"})
    pod["volumes"] = [{"name": "socket", "emptyDir": {"medium": "Memory"}}]
    start = "object changed: DaemonSet mig-fleet/mig-probe: spec.template.spec"
    assert lines(declared, found) == [
        f"{start}.containers[probe].args is ['sleep'], expected no such field",
        f"{start}.containers[sidecar] is added, expected ['probe']",
        f"{start}.volumes[socket].hostPath.path is missing, expected '/x'",
        "object changed: DaemonSet mig-fleet/mig-probe: 1 more fields differ",
    ]


@pytest.mark.parametrize(
    ("recorded", "is_drift"),
    [([{"f:initContainers": {'k:{"name":"wait"}': {}}}], True), ([{"f:initContainers": {}}, {}], False), ([], True)],
    ids=["a client wrote it", "a webhook added it", "nothing is recorded"],
)
def test_a_container_counts_unless_a_webhook_added_it_and_so_it_has_no_field_manager(
    recorded: list[Any], is_drift: bool
) -> None:
    found = changed(DAEMON_SET)
    found["spec"]["template"]["spec"]["initContainers"] = [{"name": "wait", "image": "busybox"}]
    managed = [{"fieldsV1": {"f:spec": {"f:template": {"f:spec": fields}}}} for fields in recorded]
    found["metadata"]["managedFields"] = managed
    text = "spec.template.spec.initContainers[wait] is added, expected []"
    assert lines(DAEMON_SET, found) == is_drift * [f"object changed: DaemonSet mig-fleet/mig-probe: {text}"]


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("ClusterRole", "aggregationRule", {"clusterRoleSelectors": [{"matchLabels": {"x": "y"}}]}),
        ("ClusterRoleBinding", "subjects", [{"kind": "Group", "name": "system:authenticated"}]),
        ("ServiceAccount", "automountServiceAccountToken", False),
        ("ConfigMap", "data", {"x": "y"}),
        (
            "ValidatingAdmissionPolicyBinding",
            "spec",
            {"matchResources": {"namespaceSelector": {"matchLabels": {"x": ""}}}},
        ),
        ("ValidatingAdmissionPolicy", "spec", {"paramKind": {"kind": "ConfigMap", "apiVersion": "v1"}}),
    ],
)
def test_what_others_add_to_rights_accounts_and_policies_is_a_difference(kind: str, field: str, value: Any) -> None:
    declared = {**changed(ROLE), "kind": kind, "data": {}}
    (line,) = lines(declared, {**changed(declared), field: value})
    assert f"{kind} mig-probe: {field}" in line and line.endswith("expected no such field")


def test_a_deletion_that_finalizers_keep_from_ending_is_named_with_what_keeps_it_and_the_command() -> None:
    namespace: dict[str, Any] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mig-fleet"}}
    found = changed(namespace)
    found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    remaining = {
        "type": "NamespaceContentRemaining",
        "status": "True",
        "message": "Some resources are remaining: configmaps. has 1 resource instances, foos.example.com has 2 "
        "resource instances",
    }
    held = {
        "type": "NamespaceFinalizersRemaining",
        "status": "True",
        "message": "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
    }
    found["status"] = {"conditions": [remaining, {**held, "status": "False"}]}
    title = "object missing: Namespace mig-fleet"
    assert lines(namespace, found) == [f"{title} is being deleted"], "its pods end, for example"
    found["status"] = {"conditions": [remaining, held]}
    assert lines(namespace, found) == [
        f"{title} is being deleted",
        f"{title}: {held['message']}",
        f"{title}: {remaining['message']}",
        f"{title}: see what keeps it: kubectl get -n mig-fleet configmaps,foos.example.com -o yaml",
    ]
    role = changed(ROLE)
    role["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["example.com/hold"]}
    assert lines(ROLE, role)[1:] == [
        "object missing: ClusterRole mig-probe: finalizer example.com/hold keeps it",
        "object missing: ClusterRole mig-probe: see what keeps it: kubectl get clusterrole mig-probe -o yaml",
    ]


def test_a_whole_object_keeps_what_is_not_ours_and_nothing_that_others_added_to_ours() -> None:
    declared = {**changed(ROLE), "kind": "ServiceAccount"}
    found = {**changed(declared), "automountServiceAccountToken": False, "secrets": [{"name": "x"}]}
    found["metadata"] |= {"resourceVersion": "7", "labels": {"app": "other", "team": "a"}, "managedFields": []}
    whole = whole_object(declared, found)
    assert whole["metadata"] == {
        "name": "mig-probe",
        "labels": {"app": "probe", "team": "a"},
        "annotations": {},
        "resourceVersion": "7",
    }
    assert whole["secrets"] == [{"name": "x"}]
    assert "automountServiceAccountToken" not in whole


def test_an_object_of_our_name_that_another_client_created_is_not_ours() -> None:
    ours = {**changed(ROLE), "metadata": {"name": "x", "labels": {"app.kubernetes.io/managed-by": "mig-fleet"}}}
    assert is_ours(ours, changed(ours))
    assert not is_ours(ours, {"metadata": {"name": "x"}})
    applied = {"name": "x", "managedFields": [{"manager": "mig-fleet", "operation": "Apply"}]}
    assert is_ours(ours, {"metadata": applied}), "a user removed the label"


def test_a_changed_field_is_named_with_its_path_and_both_values() -> None:
    found = changed(DAEMON_SET)
    found["spec"]["template"]["spec"]["containers"][0]["image"] = "other"
    assert lines(DAEMON_SET, found) == [
        "object changed: DaemonSet mig-fleet/mig-probe: spec.template.spec.containers[probe].image is 'other', "
        "expected 'python@sha256:1'"
    ]


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "delete"]}],
        [*ROLE["rules"], {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}],
    ],
    ids=["no rule", "another verb", "another rule"],
)
def test_fewer_and_more_rights_than_declared_are_differences(rules: list[Any]) -> None:
    (line,) = lines(ROLE, {**changed(ROLE), "rules": rules})
    assert line.startswith("object changed: ClusterRole mig-probe: rules")


def test_an_object_with_many_changes_has_few_lines() -> None:
    manifest = {**ROLE, "metadata": {"name": "x", "labels": {str(n): "a" for n in range(9)}}}
    found = lines(manifest, {**changed(ROLE), "metadata": {"name": "x"}})
    assert len(found) == 4
    assert found[0] == "object changed: ClusterRole x: metadata.labels.0 is missing, expected 'a'"
    assert found[-1] == "object changed: ClusterRole x: 6 more fields differ"


def test_the_probes_program_is_the_one_of_which_the_name_has_the_hash() -> None:
    title = f"object changed: ConfigMap mig-fleet/mig-probe-{PROGRAM_DIGEST}"
    other = (
        f"{title}: binaryData is not the program of which the name has the hash; once it is restored, restart the "
        "probes that started with it: kubectl -n mig-fleet rollout restart daemonset mig-probe"
    )
    assert lines(PROGRAM, PROGRAM_FOUND) == []
    for content in ({}, {"mig-probe.pyz": "Zm9yZWlnbg=="}, {**PROGRAM_FOUND["binaryData"], "more": ""}):
        assert lines(PROGRAM, {**changed(PROGRAM), "binaryData": content}) == [other]
    assert lines(PROGRAM, {**PROGRAM_FOUND, "data": {"x": "y"}}) == [
        f"{title}: data is {{'x': 'y'}}, expected no such field"
    ]
    for immutable in (None, False):
        (line,) = lines(PROGRAM, {**PROGRAM_FOUND, "immutable": immutable})
        assert line.endswith("expected True")


def test_annotations_that_control_pulumi_are_not_compared() -> None:
    manifest = changed(ROLE)
    manifest["metadata"]["annotations"] = {"pulumi.com/patchForce": "true"}
    assert lines(manifest, ROLE) == []


def test_keys_without_a_value_are_not_declared() -> None:
    given = {**ROLE, "spec": None, "rules": [{"verbs": ["get"], "resourceNames": None}]}
    assert parse_manifests([json.dumps(given)]) == [{**ROLE, "rules": [{"verbs": ["get"]}]}]


def test_whole_numbers_that_pulumi_writes_as_floats_are_equal() -> None:
    manifest = {**ROLE, "spec": {"seconds": 5.0}}
    assert lines(manifest, {**changed(ROLE), "spec": {"seconds": 5}}) == []
