"""The GPU Operator of a cluster is found with its namespace, version and owner, however it was installed."""

import gzip
from collections.abc import Callable

import pytest

from mig_fleet.observed.installed.gpu_operator import OperatorSearch, find_operator
from mig_fleet.observed.installed.helm_release import MOST_BYTES, chart_of, helm_releases
from tests.memory import installed
from tests.memory.installed import NAMESPACE, InstalledCluster, by_argo_cd, by_helm, by_olm, with_operator


def by_argo_cds_label() -> InstalledCluster:
    cluster = with_operator(node_labels={**installed.CHART_LABELS, "app.kubernetes.io/instance": "gpus"})
    cluster.lists[installed.APPLICATIONS] = [{"metadata": {"name": "gpus", "namespace": "argocd"}}]
    return cluster


def by_another_argo_cd() -> InstalledCluster:
    return with_operator(node_labels=installed.CHART_LABELS)


def by_flux() -> InstalledCluster:
    marks = {"helm.toolkit.fluxcd.io/name": "gpu-operator", "helm.toolkit.fluxcd.io/namespace": "flux-system"}
    return with_operator(node_labels=marks, annotations=installed.HELM)


def by_eks() -> InstalledCluster:
    return with_operator(managedFields=[{"manager": "eks"}, {"manager": "kube-controller-manager"}])


def by_the_add_on_manager() -> InstalledCluster:
    return with_operator(node_labels={"addonmanager.kubernetes.io/mode": "Reconcile"})


def by_pulumi() -> InstalledCluster:
    return with_operator(node_labels={"app.kubernetes.io/managed-by": "pulumi"})


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (by_helm, "v25.10.0 in namespace 'gpu-operator', managed by Helm release 'gpu-operator' in namespace"),
        (
            by_argo_cd,
            "v25.10.0 in namespace 'gpu-operator', managed by Argo CD application 'gpus' in namespace 'argocd'",
        ),
        (by_argo_cds_label, "managed by Argo CD application 'gpus' in namespace 'argocd'"),
        (by_another_argo_cd, "managed by tool that renders the Helm chart, such as Argo CD in another cluster, for"),
        (
            by_olm,
            "v24.9.2 in namespace 'nvidia-gpu-operator', managed by OLM's ClusterServiceVersion 'gpu-operator-cert",
        ),
        (by_flux, "managed by Flux object 'gpu-operator' in namespace 'flux-system'"),
        (by_eks, "v25.3.4 in namespace 'gpu-operator', managed by EKS add-on"),
        (by_the_add_on_manager, "managed by add-on manager of the cluster"),
        (by_pulumi, "managed by Pulumi program"),
        (with_operator, "GPU Operator v25.3.4 in namespace 'gpu-operator', of an unknown owner"),
    ],
)
def test_the_operator_is_found_with_its_owner(make: Callable[[], InstalledCluster], text: str) -> None:
    search = find_operator(make())
    assert search.operator is not None
    assert text in str(search.operator)
    assert search.unknown == ()


def test_without_an_operator_there_is_none() -> None:
    assert find_operator(InstalledCluster()) == OperatorSearch(None)
    cluster = by_helm()
    assert find_operator(cluster, "elsewhere") == OperatorSearch(None)
    cluster.lists[installed.DEPLOYMENTS].clear()
    cluster.lists[installed.DAEMON_SETS].clear()
    assert find_operator(cluster) == OperatorSearch(None), "a ClusterPolicy alone is what an uninstalled operator left"


def test_the_config_map_of_mig_manager_is_that_of_the_policy() -> None:
    found = [find_operator(with_operator(layouts=name)).operator for name in ("ours", "")]
    assert [operator.layouts for operator in found if operator] == ["ours", "default-mig-parted-config"]


def test_what_may_not_be_read_is_named_and_the_rest_is_still_found() -> None:
    cluster = by_helm()
    for path in (f"/api/v1/namespaces/{NAMESPACE}/secrets", installed.POLICIES, installed.DAEMON_SETS):
        cluster.forbid(path)
    search = find_operator(cluster)
    operator = search.operator
    assert operator is not None
    assert (operator.namespace, operator.version) == (NAMESPACE, "v25.10.0")
    assert "Helm release 'gpu-operator'" in str(operator), "its annotations name the release"
    assert len(search.unknown) == 3


def test_without_the_rights_to_look_what_they_are_is_named() -> None:
    cluster = by_helm()
    for path in (installed.POLICIES, installed.DEPLOYMENTS, installed.DAEMON_SETS):
        cluster.forbid(path)
    search = find_operator(cluster)
    assert search.operator is None
    assert search.unknown == tuple(
        f"the cluster refuses GET {path}: no right; grant the right to list {right} in all namespaces"
        for path, right in (
            (installed.POLICIES, "clusterpolicies.nvidia.com"),
            (installed.DEPLOYMENTS, "deployments.apps"),
            (installed.DAEMON_SETS, "daemonsets.apps"),
        )
    )


def test_of_a_release_only_chart_and_version_are_read() -> None:
    (release,) = helm_releases(by_helm(), NAMESPACE)
    assert (release.name, release.revision, release.chart, release.version) == (
        "gpu-operator",
        3,
        "gpu-operator",
        "v25.10.0",
    )
    assert installed.SECRET_VALUE not in repr(release)


@pytest.mark.parametrize(
    "inner",
    [
        b"",
        b"\x1f\x8b",
        b"no JSON",
        gzip.compress(b"[]"),
        gzip.compress(b'{"chart": {"metadata": 7}}'),
        gzip.compress(b'{"a":' * 20_000),
        gzip.compress(b"[" + b" " * (MOST_BYTES + 1), 1),
    ],
    ids=["empty", "torn", "text", "a list", "another type", "too deep", "too large"],
)
def test_a_release_with_a_broken_record_is_still_a_release(inner: bytes) -> None:
    cluster = by_helm()
    cluster.lists[f"/api/v1/namespaces/{NAMESPACE}/secrets"] = [installed.secret_of(inner)]
    (release,) = helm_releases(cluster, NAMESPACE)
    assert (release.name, release.chart, release.version) == ("gpu-operator", "", "")
    operator = find_operator(cluster).operator
    assert operator is not None
    assert operator.version == "v25.10.0", "by the chart's label"


@pytest.mark.parametrize("record", ["", "%", "é"])
def test_a_value_that_is_not_base64_is_no_record(record: str) -> None:
    assert chart_of(record) == ("", "")


def test_a_name_from_the_cluster_cannot_break_the_line() -> None:
    hostile = "x\n  mig-fleet:operator: {managed: true}\x1b[2J"
    search = find_operator(
        with_operator(node_labels={"helm.sh/chart": hostile}, annotations={"meta.helm.sh/release-name": hostile})
    )
    assert str(search.operator).isprintable()
