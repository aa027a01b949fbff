"""Slices that kubelets offer and pods request, under both strategies."""

import pytest

from mig_fleet.model.strategy import Strategy
from mig_fleet.monitoring import series
from mig_fleet.monitoring.recording import recording_groups
from tests.monitoring.fleets import a_fleet
from tests.monitoring.promtool import Case, Promtool
from tests.monitoring.series_samples import Series, a_node, a_pod, allocatable, ksm

pytestmark = pytest.mark.engine

ONE, TWO, GPU = "nvidia_com_mig_1g_10gb", "nvidia_com_mig_2g_20gb", "nvidia_com_gpu"
MIXED = recording_groups(a_fleet())
SINGLE = recording_groups(a_fleet(strategy=Strategy.SINGLE))
SLICED = "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb"


def test_mixed_offers_each_profile_and_no_whole_gpu(promtool: Promtool) -> None:
    samples = [
        *allocatable("n1", ONE, 4),
        *allocatable("n1", TWO, 1),
        *allocatable("n1", GPU, 1),
        *allocatable("n1", f"{ONE}_me", 1),
        *allocatable("n1", f"{ONE}_shared", 16),
        *allocatable("n1", "cpu", 64),
    ]
    rows = {
        series.ALLOCATABLE: [
            ({"node": "n1", "resource": ONE}, 4.0),
            ({"node": "n1", "resource": TWO}, 1.0),
            ({"node": "n1", "resource": f"{ONE}_me"}, 1.0),
        ]
    }
    promtool.verify(MIXED, Case("mixed", samples, rows=rows))


def test_single_offers_the_gpus_of_nodes_whose_product_is_a_slice(promtool: Promtool) -> None:
    samples = [
        *a_node("n1", product=SLICED),
        *a_node("n2"),
        *allocatable("n1", GPU, 7),
        *allocatable("n2", GPU, 8),
        *a_pod("on-a-slice", GPU, node="n1"),
        *a_pod("on-a-gpu", GPU, node="n2"),
        *a_pod("waits", GPU, 2, phase="Pending"),
    ]
    rows = {
        series.ALLOCATABLE: [({"node": "n1", "resource": GPU}, 7.0)],
        series.REQUESTED: [({"node": "n1", "resource": GPU}, 1.0)],
        series.PENDING: [({"namespace": "team-a", "pod": "waits", "resource": GPU}, 2.0)],
        series.REQUESTED_BY_NAMESPACE: [({"namespace": "team-a", "resource": GPU}, 3.0)],
    }
    promtool.verify(SINGLE, Case("single", samples, rows=rows))


def pods(replica: str = "ksm-0") -> list[Series]:
    """Of each phase, scheduled or not."""
    return [
        *a_pod("runs", ONE, 2, node="n1", replica=replica),
        *a_pod("pulls-its-image", ONE, node="n1", phase="Pending", replica=replica),
        *a_pod("completed", ONE, 3, node="n1", phase="Succeeded", replica=replica),
        *a_pod("failed", ONE, 3, node="n1", phase="Failed", replica=replica),
        *a_pod("waits", ONE, 4, phase="Pending", replica=replica),
        *a_pod("waits", TWO, 1, phase="Pending", namespace="team-b", replica=replica),
        *a_pod("on-a-cpu", "cpu", 8, node="n1", replica=replica),
    ]


EXPECTED = {
    series.REQUESTED: [({"node": "n1", "resource": ONE}, 3.0)],
    series.PENDING: [
        ({"namespace": "team-a", "pod": "waits", "resource": ONE}, 4.0),
        ({"namespace": "team-b", "pod": "waits", "resource": TWO}, 1.0),
    ],
    series.REQUESTED_BY_NAMESPACE: [
        ({"namespace": "team-a", "resource": ONE}, 7.0),
        ({"namespace": "team-b", "resource": TWO}, 1.0),
    ],
}


def test_a_pod_counts_while_it_runs_or_waits_and_not_after_it_has_ended(promtool: Promtool) -> None:
    promtool.verify(MIXED, Case("phases", pods(), rows=EXPECTED))


def test_two_replicas_of_kube_state_metrics_count_a_pod_once(promtool: Promtool) -> None:
    promtool.verify(MIXED, Case("two replicas", [*pods(), *pods("ksm-1")], rows=EXPECTED))


def test_a_pod_is_found_without_honor_labels_too(promtool: Promtool) -> None:
    """The pod of kube-state-metrics has the labels namespace and pod then."""
    samples = []
    for name in ("a", "b"):
        of_pod = {"namespace": "monitoring", "pod": "ksm-0", "exported_namespace": "team-a", "exported_pod": name}
        samples += [
            ksm(
                "kube_pod_container_resource_requests", 1, node="n1", resource=ONE, exported_container="main", **of_pod
            ),
            ksm("kube_pod_status_phase", 1, phase="Running", **of_pod),
        ]
    rows = {
        series.REQUESTED: [({"node": "n1", "resource": ONE}, 2.0)],
        series.REQUESTED_BY_NAMESPACE: [({"namespace": "team-a", "resource": ONE}, 2.0)],
    }
    promtool.verify(MIXED, Case("without honorLabels", samples, rows=rows))


def test_a_pod_that_gets_a_node_is_no_longer_pending(promtool: Promtool) -> None:
    waits = [
        ksm("kube_pod_container_resource_requests", "1x5 stale", namespace="a", pod="p", container="c", resource=ONE),
        ksm("kube_pod_container_resource_requests", "_x6 1+0x20", namespace="a", pod="p", container="c", resource=ONE,
            node="n1"),
        ksm("kube_pod_status_phase", "1+0x6 0+0x20", namespace="a", pod="p", phase="Pending"),
        ksm("kube_pod_status_phase", "0+0x6 1+0x20", namespace="a", pod="p", phase="Running"),
    ]  # fmt: skip
    rows = {
        f"sum by (namespace, pod, resource) ({series.PENDING} offset 6m)": [
            ({"namespace": "a", "pod": "p", "resource": ONE}, 1.0)
        ],
        series.PENDING: [],
        series.REQUESTED: [({"node": "n1", "resource": ONE}, 1.0)],
    }
    promtool.verify(MIXED, Case("scheduled after 6 minutes", waits, rows=rows))
