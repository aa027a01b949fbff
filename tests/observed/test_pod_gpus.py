"""Which GPU a pod has: the kubelet's answer counts only if it can be about this pod; otherwise the pod is affected."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mig_fleet.model import labels
from mig_fleet.model.report import Allocation, Report
from mig_fleet.observed.gpus.affected import AffectedGpus
from mig_fleet.observed.gpus.pod_gpus import NEWER_POD, AffectedPod, affected_pods, format_affected, gpus_of
from mig_fleet.observed.gpus.pods import GpuPod
from mig_fleet.observed.snapshot import Node
from tests.memory.fleet import a_gpu

SLICE = "nvidia.com/mig-1g.10gb"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def allocation(gpu: int | None = 0, instance: int | None = 7, **changes: Any) -> Allocation:
    facts: dict[str, Any] = {"namespace": "team", "pod": "web", "resource": SLICE}
    return Allocation(**{**facts, "gpu": gpu, "gpu_instance_id": instance, "compute_instance_id": 0, **changes})


def a_node(*allocations: Allocation, **changes: Any) -> Node:
    """A node with two GPUs of seven slices, whose report was written at :data:`NOW`."""
    gpus = (a_gpu(0, {"1g.10gb": 7}), a_gpu(1, {"1g.10gb": 7}))
    report = Report("n1", "580.126.09", "dense", "success", gpus, attempt="1", allocations=allocations)
    facts: dict[str, Any] = {"labels": {labels.CONFIG: "dense"}, "annotations": {}, "allocatable": {}}
    return Node(**{"name": "n1", **facts, "report": report, "report_written": NOW, **changes})


def a_pod(name: str = "web", **changes: Any) -> GpuPod:
    created = NOW - timedelta(minutes=1)
    return replace(GpuPod("n1", "team", name, "Deployment web", {SLICE: 1}, created=created), **changes)


def test_a_pod_has_the_gpus_that_the_kubelet_allocated_to_it() -> None:
    node = a_node(allocation(0), allocation(1, pod="other"))
    assert gpus_of(a_pod(), node).indexes == {0}
    assert gpus_of(a_pod("other"), node).indexes == {1}


def test_a_pod_of_the_same_name_in_another_namespace_is_another_pod() -> None:
    node = a_node(allocation(0, namespace="else"))
    assert gpus_of(a_pod(), node).unknown == "GPU not known: the kubelet has not reported which GPU the pod uses"


def test_devices_that_are_no_gpus_are_not_compared() -> None:
    assert gpus_of(a_pod(), a_node(allocation(1), allocation(0, resource="nvidia.com/other"))).indexes == {1}


def test_a_pod_may_have_slices_of_several_gpus_and_whole_gpus() -> None:
    pod = a_pod(resources={SLICE: 1, labels.GPU_RESOURCE: 1})
    node = a_node(allocation(0), allocation(1, None, resource=labels.GPU_RESOURCE, compute_instance_id=None))
    assert gpus_of(pod, node).indexes == {0, 1}


@pytest.mark.parametrize(
    ("node", "pod", "reason", "awaits_report"),
    [
        (a_node(report=None), a_pod(), "the probe does not report which pod has which GPU", False),
        (
            a_node(allocation(), report_written=NOW - timedelta(minutes=1)),
            a_pod(),
            NEWER_POD.removeprefix("GPU not known: "),
            True,
        ),
        (a_node(allocation(), report_written=None), a_pod(), NEWER_POD.removeprefix("GPU not known: "), True),
        (a_node(allocation()), a_pod(created=None), NEWER_POD.removeprefix("GPU not known: "), True),
        (a_node(), a_pod(), "the kubelet has not reported which GPU the pod uses", True),
        (
            a_node(allocation()),
            a_pod(resources={SLICE: 2}),
            "the kubelet reports other devices than the pod requests",
            False,
        ),
        (
            a_node(allocation(), allocation(1)),
            a_pod(),
            "the kubelet reports other devices than the pod requests",
            False,
        ),
        (
            a_node(allocation(resource="nvidia.com/mig-3g.40gb")),
            a_pod(),
            "the kubelet reports other devices than the pod requests",
            False,
        ),
        (a_node(allocation(None)), a_pod(), "the kubelet reports a device that NVML does not have", False),
        (a_node(allocation(5)), a_pod(), "the kubelet reports a device that NVML does not have", False),
        (a_node(allocation(0, 99)), a_pod(), "the kubelet reports a device that NVML does not have", False),
    ],
    ids=[
        "no report",
        "older than the pod",
        "report of an unknown time",
        "pod of an unknown time",
        "no entry",
        "too few",
        "too many",
        "another profile",
        "no device",
        "no such GPU",
        "no such instance",
    ],
)
def test_an_answer_that_may_not_be_about_this_pod_does_not_count(
    node: Node, pod: GpuPod, reason: str, awaits_report: bool
) -> None:
    found = gpus_of(pod, node)
    assert found.unknown.removeprefix("GPU not known: ") == reason
    assert not found.indexes
    assert found.awaits_report == awaits_report
    one_gpu = AffectedGpus(frozenset({1}))
    assert affected_pods(node, [pod], one_gpu) == [AffectedPod(pod, found, every_gpu=False)]


def test_the_reason_why_allocations_are_not_known_is_part_of_the_text() -> None:
    node = a_node()
    assert node.report is not None
    report = replace(node.report, allocations=None, allocations_error="the kubelet's socket is missing")
    assert gpus_of(a_pod(), replace(node, report=report)).unknown == (
        "GPU not known: the probe does not report which pod has which GPU: the kubelet's socket is missing"
    )


def test_only_pods_on_affected_gpus_are_affected() -> None:
    node = a_node(allocation(0), allocation(1, pod="other"))
    pods = [a_pod(), a_pod("other")]
    assert [str(it) for it in affected_pods(node, pods, AffectedGpus(frozenset({1})))] == [
        "team/other (Deployment web) holds 1x mig-1g.10gb on GPU 1"
    ]


def test_a_rename_affects_no_pod_even_if_nothing_is_known_about_it() -> None:
    assert affected_pods(a_node(report=None), [a_pod()], AffectedGpus()) == []


def test_where_all_gpus_are_affected_it_does_not_matter_which_one_a_pod_has() -> None:
    found = affected_pods(a_node(), [a_pod()], AffectedGpus(frozenset({0, 1}), every_gpu=True))
    assert [str(it) for it in found] == ["team/web (Deployment web) holds 1x mig-1g.10gb"]


def test_a_reason_that_several_pods_have_is_written_once() -> None:
    found = affected_pods(a_node(), [a_pod(), a_pod("api")], AffectedGpus(frozenset({0})))
    assert format_affected(found) == (
        "team/api (Deployment web) holds 1x mig-1g.10gb; team/web (Deployment web) holds 1x mig-1g.10gb (GPU not "
        "known: the kubelet has not reported which GPU the pod uses)"
    )


def test_more_than_five_pods_are_counted() -> None:
    found = affected_pods(a_node(), [a_pod(f"web-{n}") for n in range(7)], AffectedGpus(frozenset({0})))
    assert format_affected(found).endswith("; and 2 more")
