"""Users' pods with slices: counted as the scheduler counts them, and printed with the controller that owns them."""

from typing import Any

import pytest

from mig_fleet.observed.gpus.pods import gpu_pods

SLICE, GPU = "nvidia.com/mig-1g.10gb", "nvidia.com/gpu"


def a_pod(**changes: Any) -> dict[str, Any]:
    """A pod of a Deployment with one slice."""
    owner = {"kind": "ReplicaSet", "name": "web-5d8f", "controller": True}
    metadata = {"name": "web-1", "namespace": "team", "labels": {"pod-template-hash": "5d8f"}}
    spec = {"nodeName": "n1", "containers": [container(**{SLICE: "1"})]}
    return {
        "metadata": {**metadata, "ownerReferences": [owner], **changes.pop("metadata", {})},
        "spec": {**spec, **changes},
        "status": {"phase": "Running"},
    }


def container(**limits: str) -> dict[str, Any]:
    return {"resources": {"limits": limits}}


def texts(*pods: dict[str, Any]) -> list[str]:
    return [str(pod) for pod in gpu_pods(pods, "gpu-operator")]


@pytest.mark.parametrize(
    ("spec", "held"),
    [
        ({"containers": [container(**{SLICE: "1"}), container(**{SLICE: "2"})]}, "3x mig-1g.10gb"),
        ({"initContainers": [container(**{SLICE: "1"})]}, "1x mig-1g.10gb"),
        ({"initContainers": [container(**{SLICE: "4"})]}, "4x mig-1g.10gb"),
        ({"containers": [container(**{GPU: "2", "cpu": "4"})]}, "2x gpu"),
        ({"containers": [container(**{"nvidia.com/gpu.shared": "1k"})]}, "1000x gpu.shared"),
        ({"containers": [{}, container(**{GPU: "1", SLICE: "1"})]}, "1x gpu, 1x mig-1g.10gb"),
    ],
    ids=["containers", "an init container", "a larger init container", "whole GPUs", "a thousand", "GPUs and slices"],
)
def test_slices_are_counted_as_the_scheduler_counts_them(spec: dict[str, Any], held: str) -> None:
    assert texts(a_pod(**spec)) == [f"team/web-1 (Deployment web) holds {held}"]


def test_a_limit_that_is_not_a_number_counts_as_none() -> None:
    assert texts(a_pod(containers=[container(**{SLICE: "many"})])) == []


@pytest.mark.parametrize(
    ("owner", "text"),
    [
        ([{"kind": "StatefulSet", "name": "db", "controller": True}], "StatefulSet db"),
        ([{"kind": "ReplicaSet", "name": "by-hand", "controller": True}], "ReplicaSet by-hand"),
        ([{"kind": "Thing", "name": "x"}], "no owner"),
        (None, "no owner"),
    ],
)
def test_a_pod_is_printed_with_the_controller_that_would_create_it_again(owner: Any, text: str) -> None:
    assert texts(a_pod(metadata={"ownerReferences": owner})) == [f"team/web-1 ({text}) holds 1x mig-1g.10gb"]
