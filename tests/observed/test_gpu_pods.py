"""Users' pods with slices: counted as the scheduler counts them, and printed with the controller that owns them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def sidecar(**limits: str) -> dict[str, Any]:
    """An init container that runs as long as the pod."""
    return {**container(**limits), "restartPolicy": "Always"}


def texts(*pods: dict[str, Any]) -> list[str]:
    return [str(pod) for pod in gpu_pods(pods, "gpu-operator")]


@pytest.mark.parametrize(
    ("spec", "held"),
    [
        ({"containers": [container(**{SLICE: "1"}), container(**{SLICE: "2"})]}, "3x mig-1g.10gb"),
        ({"initContainers": [container(**{SLICE: "1"})]}, "1x mig-1g.10gb"),
        ({"initContainers": [container(**{SLICE: "4"})]}, "4x mig-1g.10gb"),
        ({"initContainers": [sidecar(**{SLICE: "2"})]}, "3x mig-1g.10gb"),
        ({"initContainers": [sidecar(**{SLICE: "2"}), container(**{SLICE: "1"})]}, "3x mig-1g.10gb"),
        ({"initContainers": [sidecar(**{SLICE: "2"}), container(**{SLICE: "4"})]}, "6x mig-1g.10gb"),
        ({"initContainers": [container(**{SLICE: "4"}), sidecar(**{SLICE: "2"})]}, "4x mig-1g.10gb"),
        ({"containers": [container(**{GPU: "2", "cpu": "4"})]}, "2x gpu"),
        ({"containers": [container(**{"nvidia.com/gpu.shared": "1k"})]}, "1000x gpu.shared"),
        ({"containers": [{}, container(**{GPU: "1", SLICE: "1"})]}, "1x gpu, 1x mig-1g.10gb"),
    ],
    ids=[
        *("containers", "an init container", "a larger init container"),
        *("a sidecar", "an init container beside a sidecar", "a larger init container beside a sidecar"),
        "a larger init container before a sidecar",
        "whole GPUs",
        "a thousand",
        "GPUs and slices",
    ],
)
def test_slices_are_counted_as_the_scheduler_counts_them(spec: dict[str, Any], held: str) -> None:
    assert texts(a_pod(**spec)) == [f"team/web-1 (Deployment web) holds {held}"]


a_container = st.builds(container, **{SLICE: st.integers(0, 3).map(str), GPU: st.integers(0, 2).map(str)})
an_init_container = st.builds(
    lambda it, is_sidecar: {**it, "restartPolicy": "Always"} if is_sidecar else it, a_container, st.booleans()
)


@given(st.lists(a_container, min_size=1, max_size=3), st.lists(an_init_container, max_size=4))
def test_a_pod_counts_with_the_most_that_its_containers_have_at_one_moment(
    containers: list[dict[str, Any]], init_containers: list[dict[str, Any]]
) -> None:
    """Init containers run one after the other; a sidecar among them stays."""
    moments: list[list[dict[str, Any]]] = []
    running: list[dict[str, Any]] = []
    for each in init_containers:
        moments.append([*running, each])
        running += [each] if "restartPolicy" in each else []
    moments.append([*running, *containers])
    most = {name: max(sum(limit(it, name) for it in moment) for moment in moments) for name in (SLICE, GPU)}
    found = gpu_pods([a_pod(containers=containers, initContainers=init_containers)], "gpu-operator")
    assert [dict(pod.resources) for pod in found] == ([held] if (held := {k: n for k, n in most.items() if n}) else [])


def an_operand(app: str, kind: str) -> dict[str, Any]:
    owner = {"kind": kind, "name": "x", "controller": True}
    return a_pod(metadata={"namespace": "gpu-operator", "labels": {"app": app}, "ownerReferences": [owner]})


@pytest.mark.parametrize(
    ("app", "kind"),
    [
        ("nvidia-device-plugin-validator", "ClusterPolicy"),
        ("nvidia-cuda-validator", "ClusterPolicy"),
        ("nvidia-dcgm-exporter", "DaemonSet"),
    ],
)
def test_nvidias_own_pods_in_the_operators_namespace_are_no_users_pods(app: str, kind: str) -> None:
    operand = an_operand(app, kind)
    assert texts(operand) == []
    assert len(gpu_pods([operand], "another")) == 1


@pytest.mark.parametrize(
    ("app", "kind"), [("web", "DaemonSet"), ("web", "ReplicaSet"), ("nvidia-device-plugin-validator", "Job")]
)
def test_another_pod_in_the_operators_namespace_is_a_users_pod(app: str, kind: str) -> None:
    assert texts(an_operand(app, kind)) == [f"gpu-operator/web-1 ({kind} x) holds 1x mig-1g.10gb"]


def limit(it: dict[str, Any], name: str) -> int:
    return int(it["resources"]["limits"][name])


def test_a_limit_that_is_not_a_number_counts_as_one_and_is_named() -> None:
    (text,) = texts(a_pod(containers=[container(**{SLICE: "many"})]))
    assert text.startswith(
        f"team/web-1 (Deployment web) holds 1x mig-1g.10gb; it requests 'many' of {SLICE}, which must be "
    )


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
