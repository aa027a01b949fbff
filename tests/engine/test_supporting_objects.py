"""Our own objects that another user deleted or changed: a plain preview names them, the next update restores them."""

import time
from typing import Any

import pytest

from mig_fleet.cluster.errors import NotFound
from mig_fleet.model import labels
from tests.engine.deployment import REPORTS, Deployment

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

OPERATOR = "gpu-operator"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
CLUSTER_ROLE = f"{RBAC}/clusterroles/{labels.PROBE}"
POLICY = f"{ADMISSION}/validatingadmissionpolicies/mig-probe-writes-its-own-report"
BINDING = f"{ADMISSION}/validatingadmissionpolicybindings/mig-probe-writes-its-own-report"
ROLE_BINDING = f"{RBAC}/namespaces/{REPORTS}/rolebindings/{labels.PROBE}"
DAEMON_SET = f"/apis/apps/v1/namespaces/{REPORTS}/daemonsets/{labels.PROBE}"
CLUSTER_POLICY = "/apis/nvidia.com/v1/clusterpolicies/cluster-policy"
OTHER_IMAGE = "registry.example/python:3.13"
PROGRAM = "object missing: ConfigMap mig-fleet/mig-probe-"


def delete_and_change(deployment: Deployment) -> None:
    call = deployment.fleet.call
    call("delete", CLUSTER_ROLE)
    call("delete", POLICY)
    call("delete", program(deployment))
    daemon_set = call("get", DAEMON_SET)
    containers = daemon_set["spec"]["template"]["spec"]["containers"]
    image = [{**container, "image": OTHER_IMAGE} for container in containers]
    call("patch", DAEMON_SET, {"spec": {"template": {"spec": {"containers": image}}}})
    call("patch", CLUSTER_POLICY, {"spec": {"migManager": {"config": {"name": "custom-mig-config"}}}})


def program(deployment: Deployment) -> str:
    """The path of the ConfigMap with the probe's program."""
    collection = f"/api/v1/namespaces/{REPORTS}/configmaps"
    names = [item["metadata"]["name"] for item in deployment.cluster.get(collection)["items"]]
    (name,) = (name for name in names if name.startswith(f"{labels.PROBE}-"))
    return f"{collection}/{name}"


def test_what_another_user_deletes_or_changes_is_drift_in_a_plain_preview_and_the_next_update_restores_it(
    deployed: Deployment,
) -> None:
    pruned = deployed.up()  # of configs that the layouts of earlier tests left in the layout file
    assert pruned.status == 0, pruned.text
    before = objects(deployed)
    delete_and_change(deployed)
    seen = deployed.preview("--diff")
    assert seen.status == 0, seen.text
    for line in (
        f"object missing: ClusterRole {labels.PROBE}",
        "object missing: ValidatingAdmissionPolicy mig-probe-writes-its-own-report",
        PROGRAM,
        f"object changed: DaemonSet {REPORTS}/{labels.PROBE}: spec.template.spec.containers[probe].image is "
        f"'{OTHER_IMAGE}', expected 'docker.io/",
        "object changed: ClusterPolicy cluster-policy: spec.migManager.config.name is 'custom-mig-config', "
        f"expected '{labels.LAYOUTS_CONFIG_MAP}'",
    ):
        assert line in seen, seen.text
    assert "~ 1 to update" in seen, seen.text
    restored = deployed.up()
    assert restored.status == 0, restored.text
    assert objects(deployed) == before
    unchanged = deployed.preview("--expect-no-changes")
    assert unchanged.status == 0, unchanged.text


def add_fields(deployment: Deployment) -> None:
    """What other field managers add: server-side apply alone takes back none of it, except a node selector."""
    call = deployment.fleet.call
    term = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}
    volumes = [
        {"name": "pod-resources", "emptyDir": {}} if volume["name"] == "pod-resources" else volume
        for volume in call("get", DAEMON_SET)["spec"]["template"]["spec"]["volumes"]
    ]
    (probe,) = containers(deployment)
    probe["securityContext"]["privileged"] = True
    probe["resources"]["limits"] = {**probe["resources"]["limits"], "nvidia.com/mig-1g.10gb": "1"}
    pod = {"nodeSelector": {"disk": "ssd"}, "affinity": affinity, "volumes": volumes, "containers": [probe]}
    spec = {"minReadySeconds": 9999, "template": {"spec": {**pod, "automountServiceAccountToken": False}}}
    call("patch", DAEMON_SET, {"metadata": {"labels": {"team": "a"}}, "spec": spec})
    version = {"pod-security.kubernetes.io/enforce-version": "v1.25"}
    call("patch", f"/api/v1/namespaces/{REPORTS}", {"metadata": {"labels": version}})
    call("patch", BINDING, {"spec": {"matchResources": {"namespaceSelector": {"matchLabels": {"x": "y"}}}}})
    call("patch", CLUSTER_ROLE, {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"x": "y"}}]}})
    conditions = call("get", POLICY)["spec"]["matchConditions"]
    call("patch", POLICY, {"spec": {"matchConditions": [*conditions, {"name": "never", "expression": "false"}]}})
    binding = call("get", ROLE_BINDING)
    call("delete", ROLE_BINDING)
    metadata = {key: binding["metadata"][key] for key in ("name", "namespace", "labels")}
    other = {**binding, "metadata": metadata, "roleRef": {**binding["roleRef"], "name": "other"}}
    call("create", ROLE_BINDING.rpartition("/")[0], other)


def test_what_another_user_adds_is_drift_in_a_plain_preview_and_the_next_update_removes_it(
    deployed: Deployment,
) -> None:
    before = objects(deployed)
    add_fields(deployed)
    seen = deployed.preview("--diff")
    assert seen.status == 0, seen.text
    for line in (
        f"Namespace {REPORTS}: metadata.labels.pod-security.kubernetes.io/enforce-version is 'v1.25', expected no",
        f"DaemonSet {REPORTS}/{labels.PROBE}: 5 more fields differ",
        "ValidatingAdmissionPolicyBinding mig-probe-writes-its-own-report: spec.matchResources is ",
        "ValidatingAdmissionPolicy mig-probe-writes-its-own-report: spec.matchConditions is ",
        f"ClusterRole {labels.PROBE}: aggregationRule is ",
        f"RoleBinding {REPORTS}/{labels.PROBE}: roleRef.name is 'other', expected '{labels.PROBE}'",
    ):
        assert line in seen, seen.text
    restored = deployed.up()
    assert restored.status == 0, restored.text
    assert restored.text.count(f"restored DaemonSet {REPORTS}/{labels.PROBE}\n") >= 1, restored.text
    assert objects(deployed) == before
    assert deployed.fleet.call("get", DAEMON_SET)["metadata"]["labels"]["team"] == "a"
    assert deployed.fleet.call("get", ROLE_BINDING)["roleRef"]["name"] == labels.PROBE
    unchanged = deployed.preview("--expect-no-changes")
    assert unchanged.status == 0, unchanged.text


def test_another_program_of_the_name_is_drift_in_a_plain_preview_and_the_next_update_restores_ours(
    deployed: Deployment,
) -> None:
    before, path = objects(deployed), program(deployed)
    found = deployed.fleet.call("get", path)
    deployed.fleet.call("delete", path)
    metadata = {key: found["metadata"][key] for key in ("name", "namespace", "labels")}
    foreign = {**found, "metadata": metadata, "binaryData": {labels.PROBE_PROGRAM: "Zm9yZWlnbg=="}, "immutable": True}
    deployed.fleet.call("create", path.rpartition("/")[0], foreign)
    seen = deployed.preview("--diff")
    assert "binaryData is not the program of which the name has the hash" in seen, seen.text
    restored = deployed.up()
    assert restored.status == 0, restored.text
    assert objects(deployed) == before
    unchanged = deployed.preview("--expect-no-changes")
    assert unchanged.status == 0, unchanged.text


def test_a_namespace_that_a_finalizer_keeps_is_named_with_the_finalizer_and_the_command(deployed: Deployment) -> None:
    call, held = deployed.fleet.call, f"/api/v1/namespaces/{REPORTS}/configmaps/held"
    metadata = {"name": "held", "finalizers": ["example.com/hold"]}
    call("create", held.rpartition("/")[0], {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    call("delete", f"/api/v1/namespaces/{REPORTS}")
    command = f"see what keeps it: kubectl get -n {REPORTS} configmaps -o yaml"
    deployed.wait_for_preview(command, "--diff")
    failed = deployed.up()
    assert failed.status != 0
    assert "example.com/hold in 1 resource instances" in failed.diagnostics, failed.text
    assert command in failed.diagnostics
    call("patch", held, {"metadata": {"finalizers": None}})
    wait_until_gone(deployed, f"/api/v1/namespaces/{REPORTS}")
    restored = deployed.up()
    assert restored.status == 0, restored.text


def test_a_restored_object_is_unchanged_after_a_refresh_and_the_program_can_still_change_it(
    deployed: Deployment,
) -> None:
    delete_and_change(deployed)
    assert deployed.up().status == 0
    refreshed = deployed.run("refresh", "--yes", "--skip-preview")
    assert refreshed.status == 0, refreshed.text
    unchanged = deployed.preview("--expect-no-changes", "--refresh")
    assert unchanged.status == 0, unchanged.text
    before = containers(deployed)
    deployed.config["probe"] = {**deployed.config.get("probe", {}), "interval": "14s"}
    changed = deployed.up()
    assert changed.status == 0, changed.text
    after = containers(deployed)
    assert before != after and "14" in after[0]["command"]
    managers = {entry["manager"] for entry in deployed.fleet.call("get", DAEMON_SET)["metadata"]["managedFields"]}
    assert not any(manager.startswith("pulumi") for manager in managers), managers


def test_the_namespace_of_the_probes_is_restored_with_all_that_was_in_it(deployed: Deployment) -> None:
    deployed.fleet.call("delete", f"/api/v1/namespaces/{REPORTS}")
    seen = deployed.preview("--diff")
    assert f"object missing: Namespace {REPORTS}" in seen, seen.text
    restored = deployed.up()
    assert restored.status == 0, restored.text
    unchanged = deployed.preview("--expect-no-changes")
    assert unchanged.status == 0, unchanged.text


def test_a_deleted_namespace_of_the_operator_fails_the_update_with_the_command_that_installs_it_again(
    deployed: Deployment,
) -> None:
    deployed.fleet.call("delete", f"/apis/apps/v1/namespaces/{OPERATOR}/deployments/gpu-operator")
    seen = deployed.preview("--diff")
    assert f"object missing: Deployment {OPERATOR}/gpu-operator" in seen, seen.text
    failed = deployed.up()
    assert failed.status != 0
    assert f"helm -n {OPERATOR} get manifest gpu-operator | kubectl" in failed.diagnostics, failed.text
    deployed.fleet.call("delete", f"/api/v1/namespaces/{OPERATOR}")
    wait_until_gone(deployed, f"/api/v1/namespaces/{OPERATOR}")
    failed = deployed.up()
    assert failed.status != 0
    assert f"namespace {OPERATOR} is missing" in failed.diagnostics, failed.text
    assert "`pulumi preview`, which refuses another cluster, then `pulumi up --refresh`" in failed.diagnostics
    installed = deployed.run("up", "--yes", "--skip-preview", "--refresh")
    assert installed.status == 0, installed.text
    unchanged = deployed.preview("--expect-no-changes")
    assert unchanged.status == 0, unchanged.text


def wait_until_gone(deployment: Deployment, path: str) -> None:
    with pytest.raises(NotFound):
        for _ in range(300):
            deployment.cluster.get(path)
            time.sleep(0.1)


def containers(deployment: Deployment) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = deployment.fleet.call("get", DAEMON_SET)["spec"]["template"]["spec"]["containers"]
    return found


def objects(deployment: Deployment) -> list[Any]:
    """What the test deletes or changes, without what the API server writes."""
    call = deployment.fleet.call
    policy = call("get", CLUSTER_POLICY)
    return [
        call("get", CLUSTER_ROLE)["rules"],
        call("get", POLICY)["spec"],
        call("get", BINDING)["spec"],
        call("get", program(deployment))["binaryData"],
        call("get", DAEMON_SET)["spec"],
        policy["spec"],
    ]
