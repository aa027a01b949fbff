"""An object that exists is not created: the message names its owner, and two ways out with exact commands."""

import json
import shlex
from dataclasses import replace
from typing import Any

import pytest

from mig_fleet.cluster.client import FIELD_MANAGER
from mig_fleet.model.labels import DASHBOARDS
from mig_fleet.observed.installed.existing_objects import (
    CONFIG_MAP,
    NAMESPACE,
    RELEASE,
    PlannedObject,
    foreign_layout_file,
    foreign_object,
)
from tests.memory import installed
from tests.memory.installed import InstalledCluster, by_argo_cd, by_helm, by_olm

PROVIDER = {"context": "prod-gpu", "enableConfigMapMutable": "true"}


def the_namespace(name: str = installed.NAMESPACE) -> PlannedObject:
    return PlannedObject(NAMESPACE, name, "", "operator-namespace", None, PROVIDER, "4.25.0")


def the_release() -> PlannedObject:
    parent = ("mig-fleet:index:GpuOperator", "gpu-operator")
    return PlannedObject(
        RELEASE, "gpu-operator", installed.NAMESPACE, "gpu-operator-release", parent, PROVIDER, "4.25.0"
    )


def the_rules() -> PlannedObject:
    parent = ("mig-fleet:index:Monitoring", "monitoring")
    return PlannedObject(CONFIG_MAP, "mig-fleet-rules", installed.NAMESPACE, "monitoring-rules", parent, PROVIDER)


def with_namespace(**metadata: Any) -> InstalledCluster:
    cluster = by_helm()
    cluster.lists["/api/v1/namespaces"] = [{"metadata": {"name": installed.NAMESPACE, **metadata}}]
    return cluster


def imported(text: str) -> list[dict[str, Any]]:
    """The resources of the command in a message."""
    assert text.count("run in bash: ") == 1
    command = text.partition("run in bash: ")[2].partition("\n")[0]
    assert command.startswith("pulumi import --generate-code=false --protect=false --file <(echo ")
    (document,) = shlex.split(command.partition("<(echo ")[2].removesuffix(")"))
    resources: list[dict[str, Any]] = json.loads(document)["resources"]
    return resources


@pytest.mark.parametrize("planned", [the_namespace(), the_release(), the_rules()], ids=lambda each: each.resource)
def test_what_does_not_exist_may_be_created(planned: PlannedObject) -> None:
    assert foreign_object(InstalledCluster(), planned) == ""


def test_our_own_namespace_may_be_applied_again_as_after_a_killed_update() -> None:
    ours = with_namespace(labels={"app.kubernetes.io/managed-by": FIELD_MANAGER})
    assert foreign_object(ours, the_namespace()) == ""


def test_a_namespace_is_left_to_its_owner_or_imported() -> None:
    text = foreign_object(with_namespace(managedFields=[{"manager": "kubectl-create"}]), the_namespace())
    assert text.startswith(
        "Namespace gpu-operator exists already, written by 'kubectl-create'; GPU Operator v25.10.0 in"
    )
    assert "set mig-fleet:operator: {managed: false, namespace: gpu-operator}" in text
    assert "to take it over, stop its owner from managing it: whatever installs it there must" in text
    assert imported(text) == [
        {"type": "pulumi:providers:kubernetes", "name": "cluster", "inputs": PROVIDER, "version": "4.25.0"},
        {"type": NAMESPACE, "name": "operator-namespace", "id": "gpu-operator", "provider": "cluster"},
    ]


def test_a_release_of_the_same_name_can_be_imported_with_its_component() -> None:
    text = foreign_object(by_helm(), the_release())
    assert (
        "managed by Helm release 'gpu-operator' in namespace 'gpu-operator' exists already; it was not changed" in text
    )
    _, component, release = imported(text)
    assert component == {"type": "mig-fleet:index:GpuOperator", "name": "gpu-operator", "component": True}
    assert (release["id"], release["parent"]) == ("gpu-operator/gpu-operator", "gpu-operator")
    assert installed.SECRET_VALUE not in text


def test_a_take_over_begins_with_the_values_of_the_owner_and_needs_one_command() -> None:
    """An import alone would let the next update remove every value that the stack file does not have."""
    planned = replace(the_release(), namespace="")
    text = foreign_object(with_namespace(managedFields=[{"manager": "helm"}]), the_namespace(), [planned])
    steps = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    assert [step[:2] for step in steps] == ["1.", "2.", "3.", "4."]
    assert "version: 'v25.10.0'" in steps[0]
    assert "`helm get values gpu-operator -n gpu-operator -o yaml`" in steps[0]
    assert "`helm upgrade gpu-operator`" in steps[1]
    names = [(each["name"], each.get("id")) for each in imported(text)]
    assert names == [
        ("cluster", None),
        ("operator-namespace", "gpu-operator"),
        ("gpu-operator", None),
        ("gpu-operator-release", "gpu-operator/gpu-operator"),
    ]
    assert "`pulumi destroy` then uninstalls it and deletes namespace gpu-operator" in text


def test_a_version_that_no_record_has_is_asked_for() -> None:
    cluster = InstalledCluster()
    cluster.lists[f"/api/v1/namespaces/{installed.NAMESPACE}/secrets"] = [installed.secret_of(b"?")]
    assert "the version that `helm list -n gpu-operator` prints" in foreign_object(cluster, the_release())


def test_a_namespace_with_the_operator_of_another_tool_is_imported_after_that_was_uninstalled() -> None:
    cluster = by_argo_cd()
    cluster.lists["/api/v1/namespaces"] = [{"metadata": {"name": installed.NAMESPACE}}]
    text = foreign_object(cluster, the_namespace(), [the_release()])
    assert "to take its place, uninstall it with Argo CD application 'gpus' in namespace 'argocd'" in text
    assert [each["name"] for each in imported(text)] == ["cluster", "operator-namespace"]


@pytest.mark.parametrize(("make", "namespace"), [(by_argo_cd, "gpu-operator"), (by_olm, "nvidia-gpu-operator")])
def test_an_operator_of_another_tool_is_found_in_any_namespace_and_cannot_be_imported(
    make: Any, namespace: str
) -> None:
    text = foreign_object(make(), the_release())
    assert f"set mig-fleet:operator: {{managed: false, namespace: {namespace}}}" in text
    assert "to take its place, uninstall it with" in text
    assert "pulumi import" not in text


def test_a_release_that_never_became_an_operator_is_found_too() -> None:
    cluster = InstalledCluster()
    path = f"/api/v1/namespaces/{installed.NAMESPACE}/secrets"
    cluster.lists[path] = [installed.helm_secret(1, "pending-install")]
    text = foreign_object(cluster, the_release())
    assert text.startswith("Helm release 'gpu-operator' in namespace 'gpu-operator' exists already (pending-install)")
    assert imported(text)


def test_a_layout_file_that_a_tool_manages_is_not_merged() -> None:
    """As with `migManager.config.create: true` and our name in the chart's values."""
    metadata: dict[str, Any] = {"name": "mig-fleet-layouts", "annotations": installed.HELM}
    text = foreign_layout_file({"metadata": metadata}, installed.NAMESPACE)
    assert "in namespace gpu-operator exists already, managed by Helm release 'gpu-operator'" in text
    assert text.count("\n  - to ") == 2
    ours = {**metadata, "labels": {"app.kubernetes.io/managed-by": FIELD_MANAGER}}
    for found in (None, {"metadata": ours}):
        assert foreign_layout_file(found, installed.NAMESPACE) == ""
    by_hand = {"metadata": {"name": "mig-fleet-layouts", "managedFields": [{"manager": "kubectl-create"}]}}
    assert "exists already, written by 'kubectl-create'" in foreign_layout_file(by_hand, installed.NAMESPACE)


def test_an_immutable_config_map_is_deleted_because_an_import_would_need_its_replacement() -> None:
    parent = ("mig-fleet:index:Monitoring", "monitoring")
    name = "mig-fleet-metrics-0a1b2c3d"
    planned = PlannedObject(CONFIG_MAP, name, installed.NAMESPACE, "monitoring-metrics", parent, PROVIDER)
    cluster = InstalledCluster()
    cluster.config_map(name, {}, managedFields=[{"manager": "kubectl-create"}])
    text = foreign_object(cluster, replace(planned, immutable=True))
    assert f"ConfigMap {name} in namespace gpu-operator exists already, written by 'kubectl-create'" in text
    assert f"then run `kubectl -n gpu-operator delete configmap {name}`, and this command again" in text
    assert "pulumi import" not in text
    assert imported(foreign_object(cluster, planned))


def test_an_operator_that_may_not_be_looked_for_is_not_taken_for_missing() -> None:
    cluster = by_argo_cd()
    for path in (installed.POLICIES, installed.DEPLOYMENTS, installed.DAEMON_SETS):
        cluster.forbid(path)
    text = foreign_object(cluster, the_release())
    assert text.startswith("whether a GPU Operator exists already is not known: the cluster refuses GET ")
    assert "grant the right to list deployments.apps in all namespaces" in text


def test_a_config_map_of_others_is_not_overwritten() -> None:
    cluster = InstalledCluster()
    cluster.config_map("mig-fleet-rules", {}, labels={"app.kubernetes.io/managed-by": "pulumi"})
    text = foreign_object(cluster, the_rules())
    assert "ConfigMap mig-fleet-rules in namespace gpu-operator exists already, managed by Pulumi program" in text
    assert "mig-fleet:monitoring: {rules: none}" in text
    assert imported(text)[-1]["id"] == "gpu-operator/mig-fleet-rules"


@pytest.mark.parametrize("board", DASHBOARDS)
def test_a_dashboard_of_others_is_left_to_them_with_a_setting(board: str) -> None:
    cluster = InstalledCluster()
    cluster.config_map(DASHBOARDS[board], {}, labels={"app.kubernetes.io/managed-by": "Helm"})
    planned = replace(the_rules(), name=DASHBOARDS[board], resource=f"monitoring-dashboard-{board}")
    assert "set mig-fleet:monitoring: {dashboards: none}" in foreign_object(cluster, planned)
