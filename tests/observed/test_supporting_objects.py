"""How an object in the cluster is compared with its manifest."""

import copy
import json
from typing import Any

import pytest

from mig_fleet.observed.supporting_objects import (
    kubectl_arguments,
    object_differences,
    parse_manifests,
    path_of,
    title_of,
)

ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "mig-probe", "labels": {"app": "probe"}},
    "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}],
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
PROGRAM = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "mig-probe-0123456789", "namespace": "mig-fleet", "labels": {"app": "probe"}},
    "immutable": True,
}


def lines(manifest: dict[str, Any], found: dict[str, Any] | None) -> list[str]:
    return [str(difference) for difference in object_differences(manifest, found)]


def changed(manifest: dict[str, Any]) -> dict[str, Any]:
    """A copy that a test changes."""
    return copy.deepcopy(manifest)


def test_an_object_has_a_path_a_title_and_arguments_for_kubectl() -> None:
    assert path_of(ROLE) == "/apis/rbac.authorization.k8s.io/v1/clusterroles/mig-probe"
    assert path_of(PROGRAM) == "/api/v1/namespaces/mig-fleet/configmaps/mig-probe-0123456789"
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
    found = changed(DAEMON_SET)
    found["metadata"] |= {"uid": "1", "annotations": {"deprecated.daemonset.template.generation": "1"}}
    found["status"] = {"numberReady": 1}
    pod = found["spec"]["template"]["spec"]
    pod["dnsPolicy"] = "ClusterFirst"
    pod["containers"][0]["imagePullPolicy"] = "IfNotPresent"
    pod["containers"][0]["env"].insert(0, {"name": "INJECTED", "value": "x"})
    pod["containers"].insert(0, {"name": "sidecar", "image": "mesh"})
    assert lines(DAEMON_SET, found) == []


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


def test_of_the_probes_program_only_the_metadata_is_compared() -> None:
    assert lines(PROGRAM, {"metadata": changed(PROGRAM)["metadata"]}) == []
    (line,) = lines(PROGRAM, {"metadata": {"name": "mig-probe-0123456789", "namespace": "mig-fleet"}})
    assert "metadata.labels.app is missing" in line


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
