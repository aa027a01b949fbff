"""Who holds slices: counted as the scheduler counts, and named after whom a person would ask."""

from typing import Any

import pytest

from mig_fleet.observed.gpu_pods import holders

SLICE, GPU = "nvidia.com/mig-1g.10gb", "nvidia.com/gpu"


def a_pod(**changes: Any) -> dict[str, Any]:
    """A pod of a Deployment with one slice."""
    owner = {"kind": "ReplicaSet", "name": "web-5d8f", "controller": True}
    metadata = {"name": "web-1", "namespace": "team", "labels": {"pod-template-hash": "5d8f"}}
    spec = {"nodeName": "n1", "containers": [asking(**{SLICE: "1"})]}
    return {
        "metadata": {**metadata, "ownerReferences": [owner], **changes.pop("metadata", {})},
        "spec": {**spec, **changes},
        "status": {"phase": "Running"},
    }


def asking(**limits: str) -> dict[str, Any]:
    return {"resources": {"limits": limits}}


def words(*pods: dict[str, Any]) -> list[str]:
    return [str(holder) for holder in holders(pods, "gpu-operator")]


@pytest.mark.parametrize(
    ("spec", "held"),
    [
        ({"containers": [asking(**{SLICE: "1"}), asking(**{SLICE: "2"})]}, "3x mig-1g.10gb"),
        ({"initContainers": [asking(**{SLICE: "1"})]}, "1x mig-1g.10gb"),
        ({"initContainers": [asking(**{SLICE: "4"})]}, "4x mig-1g.10gb"),
        ({"containers": [asking(**{GPU: "2", "cpu": "4"})]}, "2x gpu"),
        ({"containers": [asking(**{"nvidia.com/gpu.shared": "1k"})]}, "1000x gpu.shared"),
        ({"containers": [{}, asking(**{GPU: "1", SLICE: "1"})]}, "1x gpu, 1x mig-1g.10gb"),
    ],
    ids=["side by side", "one after the other", "first more than later", "whole GPUs", "a thousand", "both kinds"],
)
def test_slices_are_counted_as_the_scheduler_counts_them(spec: dict[str, Any], held: str) -> None:
    assert words(a_pod(**spec)) == [f"team/web-1 (Deployment web) holds {held}"]


def test_what_is_no_number_holds_nothing_and_stops_nobody() -> None:
    assert words(a_pod(containers=[asking(**{SLICE: "many"})])) == []


@pytest.mark.parametrize(
    ("owner", "named"),
    [
        ([{"kind": "StatefulSet", "name": "db", "controller": True}], "StatefulSet db"),
        ([{"kind": "ReplicaSet", "name": "by-hand", "controller": True}], "ReplicaSet by-hand"),
        ([{"kind": "Thing", "name": "x"}], "no owner"),
        (None, "no owner"),
    ],
)
def test_a_pod_is_named_with_what_would_start_it_again(owner: Any, named: str) -> None:
    assert words(a_pod(metadata={"ownerReferences": owner})) == [f"team/web-1 ({named}) holds 1x mig-1g.10gb"]
