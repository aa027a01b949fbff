"""Our own objects that another user deleted or changed: a plain preview names them, the next update restores them."""

from typing import Any

import pytest

from mig_fleet.cluster.errors import NotFound
from mig_fleet.model import labels
from mig_fleet.simulator.polling import wait_until
from tests.engine.deployment import Deployment
from tests.engine.observed_cluster import REPORTS

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

OPERATOR = "gpu-operator"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
CLUSTER_ROLE = f"{RBAC}/clusterroles/{labels.PROBE}"
POLICY = f"{ADMISSION}/validatingadmissionpolicies/mig-probe-writes-its-own-report"
BINDING = f"{ADMISSION}/validatingadmissionpolicybindings/mig-probe-writes-its-own-report"
ROLE_BINDING = f"{RBAC}/namespaces/{REPORTS}/rolebindings/{labels.PROBE}"
DAEMON_SET = f"/apis/apps/v1/namespaces/{REPORTS}/daemonsets/{labels.PROBE}"
CLUSTER_POLICY = "/apis/nvidia.com/v1/clusterpolicies/cluster-policy"
DASHBOARD = f"/api/v1/namespaces/{OPERATOR}/configmaps/{labels.DASHBOARDS['node']}"
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
    call("patch", DASHBOARD, {"data": {"mine.json": "{}"}})


def program(deployment: Deployment) -> str:
    """The path of the ConfigMap with the probe's program."""
    collection = f"/api/v1/namespaces/{REPORTS}/configmaps"
    names = [item["metadata"]["name"] for item in deployment.cluster.get(collection)["items"]]
    (name,) = (name for name in names if name.startswith(f"{labels.PROBE}-"))
    return f"{collection}/{name}"


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


def replace_program(deployment: Deployment) -> None:
    path = program(deployment)
    found = deployment.fleet.call("get", path)
    deployment.fleet.call("delete", path)
    metadata = {key: found["metadata"][key] for key in ("name", "namespace", "labels")}
    foreign = {**found, "metadata": metadata, "binaryData": {labels.PROBE_PROGRAM: "Zm9yZWlnbg=="}, "immutable": True}
    deployment.fleet.call("create", path.rpartition("/")[0], foreign)


def test_what_another_user_deletes_changes_or_adds_is_drift_in_a_plain_preview_and_the_next_update_restores_it(
    deployed: Deployment,
) -> None:
    """Two rounds, because an object cannot be missing and changed at once."""
    deployed.prune()
    call, before = deployed.fleet.call, objects(deployed)

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
        f"ConfigMap {OPERATOR}/{labels.DASHBOARDS['node']}: data.mine.json is '{{}}', expected no such",
    ):
        assert line in seen, seen.text
    assert "~ 1 to update" in seen, seen.text
    restored = deployed.up()
    assert restored.status == 0, restored.text
    assert objects(deployed) == before
    refreshed = deployed.run("refresh", "--yes", "--skip-preview")
    assert refreshed.status == 0, refreshed.text
    unchanged = deployed.preview("--expect-no-changes", "--refresh")
    assert unchanged.status == 0, unchanged.text

    add_fields(deployed)
    replace_program(deployed)
    seen = deployed.preview("--diff")
    assert seen.status == 0, seen.text
    for line in (
        f"Namespace {REPORTS}: metadata.labels.pod-security.kubernetes.io/enforce-version is 'v1.25', expected no",
        f"DaemonSet {REPORTS}/{labels.PROBE}: 5 more fields differ",
        "ValidatingAdmissionPolicyBinding mig-probe-writes-its-own-report: spec.matchResources is ",
        "ValidatingAdmissionPolicy mig-probe-writes-its-own-report: spec.matchConditions is ",
        f"ClusterRole {labels.PROBE}: aggregationRule is ",
        f"RoleBinding {REPORTS}/{labels.PROBE}: roleRef.name is 'other', expected '{labels.PROBE}'",
        "binaryData is not the program of which the name has the hash",
    ):
        assert line in seen, seen.text
    restored = deployed.up()
    assert restored.status == 0, restored.text
    assert restored.text.count(f"restored DaemonSet {REPORTS}/{labels.PROBE}\n") >= 1, restored.text
    assert objects(deployed) == before
    assert call("get", DAEMON_SET)["metadata"]["labels"]["team"] == "a"
    assert call("get", ROLE_BINDING)["roleRef"]["name"] == labels.PROBE
    unchanged = deployed.preview("--expect-no-changes")
    assert unchanged.status == 0, unchanged.text

    containers_before = containers(deployed)
    deployed.config["probe"] = {**deployed.config.get("probe", {}), "interval": "14s"}
    changed = deployed.up()
    assert changed.status == 0, changed.text
    after = containers(deployed)
    assert containers_before != after and "14" in after[0]["command"], "the program can still change what was restored"
    managers = {entry["manager"] for entry in call("get", DAEMON_SET)["metadata"]["managedFields"]}
    assert not any(manager.startswith("pulumi") for manager in managers), managers


def test_the_namespace_of_the_probes_is_restored_with_all_that_was_in_it_once_no_finalizer_keeps_it(
    deployed: Deployment,
) -> None:
    namespace = f"/api/v1/namespaces/{REPORTS}"
    call, held = deployed.fleet.call, f"{namespace}/configmaps/held"
    metadata = {"name": "held", "finalizers": ["example.com/hold"]}
    call("create", held.rpartition("/")[0], {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    call("delete", namespace)
    finalizer = "example.com/hold in 1 resource instances"
    wait_until(lambda: finalizer in str(call("get", namespace)["status"]), "the namespace names the finalizer")
    command = f"see what keeps it: kubectl get -n {REPORTS} configmaps -o yaml"
    seen = deployed.preview("--diff")
    assert command in seen, seen.text
    failed = deployed.up()
    assert failed.status != 0
    assert finalizer in failed.diagnostics, failed.text
    assert command in failed.diagnostics

    call("patch", held, {"metadata": {"finalizers": None}})
    wait_until_gone(deployed, namespace)
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
    def is_gone() -> bool:
        try:
            deployment.cluster.get(path)
        except NotFound:
            return True
        return False

    wait_until(is_gone, f"{path} is deleted")


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
        call("get", DASHBOARD)["data"],
        policy["spec"],
    ]
