"""Which pods a change strands: counted over the whole cluster, and compared with every possible assignment."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.model import labels
from mig_fleet.model.strategy import Strategy
from mig_fleet.observed.expected import Expected
from mig_fleet.observed.gpus.pods import gpu_pods
from mig_fleet.observed.objects import Taint
from mig_fleet.observed.snapshot import Node, Snapshot
from mig_fleet.rollout.stranding.stranded_pods import StrandedPod, stranded_pods, waiting_pods

SMALL, LARGE, WHOLE = "nvidia.com/mig-1g.10gb", "nvidia.com/mig-3g.40gb", "nvidia.com/gpu"
Json = dict[str, Any]


def a_node(name: str, *taints: Taint, slices: dict[str, int] | None = None, **changes: Any) -> Node:
    """A node that offers seven small slices."""
    offered = {SMALL: 7} if slices is None else slices
    facts: dict[str, Any] = {"labels": {"kubernetes.io/hostname": name}, "annotations": {}, "allocatable": offered}
    return Node(name=name, report=None, full_taints=taints, **{**facts, **changes})


def a_pod(
    name: str, node: str = "", owner: str = "ReplicaSet", requests: dict[str, int] | None = None, **spec: Any
) -> Json:
    """A pod that requests one small slice; ``message`` is what the scheduler last reported."""
    message, metadata = spec.pop("message", ""), spec.pop("metadata", {})
    owners = [{"kind": owner, "name": f"{name}-owner", "controller": True}] if owner else []
    limits = {key: str(n) for key, n in (requests or {SMALL: 1}).items()}
    conditions = [{"type": "PodScheduled", "status": "False", "message": message}] if message else []
    return {
        "metadata": {"namespace": "team", "name": name, "ownerReferences": owners, **metadata},
        "spec": {"nodeName": node, "containers": [{"resources": {"limits": limits}}], **spec},
        "status": {"phase": "Running" if node else "Pending", "conditions": conditions},
    }


def an_expected(*gpus: dict[str, int] | None) -> Expected:
    return Expected.of_gpus("new-00000000", gpus, Strategy.MIXED)


WIDE = an_expected({"3g.40gb": 2})
SAME = an_expected({"1g.10gb": 7})


def stranded(
    nodes: list[Node], pods: list[Json], changes: Mapping[str, Expected | None], *moved: str, policy: str = "evict"
) -> list[StrandedPod]:
    """``moved`` are the names of the pods that lose their slices."""
    losing = [pod for pod in gpu_pods(pods, "gpu-operator") if pod.name in moved]
    return stranded_pods(Snapshot({it.name: it for it in nodes}), pods, "gpu-operator", changes, losing, policy)


def names(found: list[StrandedPod]) -> list[str]:
    return [each.pod.name for each in found]


# Pods that lose their slices


def test_a_pod_that_finds_no_slice_is_stranded_with_the_reasons_by_number_of_nodes() -> None:
    nodes = [
        a_node("n1"),
        a_node("n2", Taint("dedicated", "web", "NoSchedule")),
        a_node("n3", slices={SMALL: 1}),
        a_node("n4", slices={}),
        a_node("n5", cordoned=True),
        a_node("n6", ready=False),
    ]
    pods = [a_pod("web", "n1"), a_pod("other", "n3")]
    (found,) = stranded(nodes, pods, {"n1": WIDE}, "web")
    assert str(found) == "team/web (ReplicaSet web-owner) runs on n1 and requests mig-1g.10gb"
    assert found.reason == (
        "0/6 nodes fit: 2 without mig-1g.10gb, 1 cordoned, 1 not Ready, 1 with no free mig-1g.10gb, "
        "1 with taint dedicated=web:NoSchedule"
    )


def test_a_free_slice_on_any_node_where_the_pod_may_run_is_enough() -> None:
    nodes = [a_node("n1"), a_node("n2", Taint("dedicated", "web", "NoSchedule"))]
    tolerant = a_pod("web", "n1", tolerations=[{"key": "dedicated", "operator": "Exists"}])
    assert stranded(nodes, [tolerant], {"n1": WIDE}, "web") == []


def test_slices_that_the_new_layout_offers_count() -> None:
    assert stranded([a_node("n1")], [a_pod("web", "n1")], {"n1": SAME}, "web") == []


def test_as_many_pods_are_stranded_as_there_are_slices_too_few() -> None:
    nodes = [a_node("n1"), a_node("n2", slices={SMALL: 3})]
    pods = [a_pod(f"web-{number}", "n1") for number in range(5)] + [a_pod("there", "n2")]
    found = stranded(nodes, pods, {"n1": WIDE}, *(f"web-{number}" for number in range(5)))
    assert names(found) == ["web-2", "web-3", "web-4"]
    assert found[0].reason == "0/2 nodes fit: 1 with no free mig-1g.10gb, 1 without mig-1g.10gb"


def test_a_pod_with_several_slices_needs_them_on_one_node() -> None:
    nodes = [a_node("n1"), a_node("n2", slices={SMALL: 2}), a_node("n3", slices={SMALL: 3})]
    pods = [a_pod("web", "n1", requests={SMALL: 4})]
    (found,) = stranded(nodes, pods, {"n1": WIDE}, "web")
    assert str(found).endswith("requests 4x mig-1g.10gb")
    assert found.reason == "0/3 nodes fit: 2 with fewer than 4 mig-1g.10gb, 1 without mig-1g.10gb"


def test_a_pod_on_a_gpu_that_does_not_change_keeps_its_slice_and_uses_it_up() -> None:
    layout = an_expected({"1g.10gb": 1}, {"3g.40gb": 2})
    pods = [a_pod("moves", "n1"), a_pod("stays", "n1")]
    assert names(stranded([a_node("n1")], pods, {"n1": layout}, "moves")) == ["moves"]
    assert stranded([a_node("n1")], pods, {"n1": an_expected({"1g.10gb": 2}, {"3g.40gb": 2})}, "moves") == []


def test_our_own_isolation_is_temporary() -> None:
    isolated = a_node("n2", Taint(labels.TAINT, "", "NoSchedule"))
    assert stranded([a_node("n1"), isolated], [a_pod("web", "n1")], {"n1": WIDE}, "web") == []


def test_a_node_selector_for_the_old_layout_no_longer_matches() -> None:
    old = {labels.CONFIG: "old-00000000", f"{SMALL}.count": "7"}
    nodes = [a_node("n1", labels=old)]
    for selector in ({labels.CONFIG: "old-00000000"}, {f"{SMALL}.count": "7"}):
        pods = [a_pod("web", "n1", nodeSelector=selector)]
        changed = {"n1": an_expected({"1g.10gb": 5})}
        assert names(stranded(nodes, pods, changed, "web")) == ["web"], selector
    pods = [a_pod("web", "n1", nodeSelector={f"{SMALL}.product": "GFD writes it"})]
    assert stranded(nodes, pods, {"n1": SAME}, "web") == [], "its value is not known"


@pytest.mark.parametrize(
    ("owner", "policy", "found"),
    [
        ("ReplicaSet", "evict", ["web"]),
        ("StatefulSet", "wait", ["web"]),
        ("Job", "evict", ["web"]),
        ("Job", "wait", []),
        ("DaemonSet", "evict", []),
        ("Node", "evict", []),
        ("", "evict", []),
    ],
)
def test_only_a_pod_that_its_controller_creates_again_can_be_stranded(
    owner: str, policy: str, found: list[str]
) -> None:
    pods = [a_pod("web", "n1", owner=owner)]
    assert names(stranded([a_node("n1")], pods, {"n1": WIDE}, "web", policy=policy)) == found


def test_a_terminating_pod_needs_no_slice_and_leaves_its_own() -> None:
    ends = {"deletionTimestamp": "2026-01-01T00:00:00Z", "namespace": "team", "name": "ends"}
    nodes = [a_node("n1"), a_node("n2", slices={SMALL: 1})]
    assert stranded(nodes, [a_pod("ends", "n1", metadata=ends)], {"n1": WIDE}, "ends") == []
    pods = [a_pod("web", "n1"), a_pod("ends", "n2", metadata=ends)]
    assert stranded(nodes, pods, {"n1": WIDE}, "web") == []


def test_a_layout_that_is_not_known_strands_no_pod() -> None:
    assert stranded([a_node("n1")], [a_pod("web", "n1"), a_pod("queue")], {"n1": None}, "web") == []


def test_a_node_that_is_not_in_the_cluster_changes_nothing() -> None:
    assert stranded([a_node("n1")], [a_pod("web", "n1")], {"n9": WIDE}) == []


def test_whole_gpus_and_time_sliced_ones_are_counted_too() -> None:
    shared = "nvidia.com/gpu.shared"
    nodes = [a_node("n1", slices={WHOLE: 8, shared: 4})]
    pods = [a_pod("whole", "n1", requests={WHOLE: 1}), a_pod("shared", "n1", requests={shared: 1})]
    assert names(stranded(nodes, pods, {"n1": WIDE}, "whole", "shared")) == ["whole"], (
        "a layout does not change sharing"
    )


# Pods that are not scheduled


def test_a_pod_that_waits_for_a_resource_that_the_change_removes_everywhere_is_stranded() -> None:
    full = [a_pod(f"other-{number}", "n1") for number in range(7)]
    (found,) = stranded([a_node("n1")], [*full, a_pod("queue")], {"n1": WIDE})
    assert str(found) == "team/queue (ReplicaSet queue-owner) is not scheduled and requests mig-1g.10gb"
    assert found.reason == "0/1 nodes fit: 1 without mig-1g.10gb"


def test_a_pod_that_waits_for_slices_in_use_elsewhere_still_waits_and_is_not_stranded() -> None:
    nodes = [a_node("n1"), a_node("n2", slices={SMALL: 1})]
    pods = [a_pod("there", "n2"), *(a_pod(f"here-{number}", "n1") for number in range(7)), a_pod("queue")]
    assert "queue" not in names(stranded(nodes, pods, {"n1": WIDE}))


def test_a_pod_that_no_node_ever_offered_anything_is_not_stranded_by_the_change() -> None:
    pods = [a_pod("queue", requests={LARGE: 1}), a_pod("elsewhere", nodeSelector={"zone": "a"})]
    assert stranded([a_node("n1")], pods, {"n1": an_expected({"2g.20gb": 3})}) == []


def test_a_pod_that_is_scheduled_in_a_moment_competes_for_the_free_slices() -> None:
    nodes = [a_node("n1"), a_node("n2", slices={SMALL: 1})]
    pods = [a_pod("web", "n1"), a_pod("from-the-wave-before")]
    assert names(stranded(nodes, pods, {"n1": WIDE}, "web")) == ["from-the-wave-before"]
    for text in (
        "2 Insufficient nvidia.com/mig-1g.10gb",
        "2 node(s) had untolerated taint {mig-fleet.dev/reconfiguring: }",
        "1 Insufficient cpu, 1 node(s) were unschedulable",
    ):
        waits = a_pod("from-the-wave-before", message=f"0/2 nodes are available: {text}.")
        assert len(stranded(nodes, [a_pod("web", "n1"), waits], {"n1": WIDE}, "web")) == 1


@pytest.mark.parametrize(
    "blocked", [{"message": "0/2 nodes are available: 2 Insufficient cpu."}, {"schedulingGates": [{"name": "quota"}]}]
)
def test_a_pod_that_lacks_something_else_does_not_compete(blocked: dict[str, Any]) -> None:
    nodes = [a_node("n1"), a_node("n2", slices={SMALL: 1})]
    assert stranded(nodes, [a_pod("web", "n1"), a_pod("queue", **blocked)], {"n1": WIDE}, "web") == []


def test_a_pod_that_waits_for_whole_gpus_of_a_node_that_is_not_partitioned_yet_is_not_stranded() -> None:
    startup = Taint(labels.STARTUP_TAINT, "true", "NoSchedule")
    pods = [a_pod("queue", requests={WHOLE: 1})]
    assert stranded([a_node("n1", startup, slices={WHOLE: 8})], pods, {"n1": WIDE}) == []
    assert names(stranded([a_node("n1", slices={WHOLE: 8})], pods, {"n1": WIDE})) == ["queue"], "without the taint"


def test_pods_that_wait_now_have_a_reason_or_find_a_free_slice() -> None:
    nodes = {"n1": a_node("n1", slices={SMALL: 1})}
    pods = [a_pod("a"), a_pod("b"), a_pod("wide", requests={LARGE: 1}), a_pod("runs", "n9")]
    found = {pod.name: reason for pod, reason in waiting_pods(Snapshot(nodes), pods, "gpu-operator").items()}
    assert found == {
        "a": "",
        "b": "0/1 nodes fit: 1 with no free mig-1g.10gb",
        "wide": "0/1 nodes fit: 1 without mig-3g.40gb",
    }
    assert waiting_pods(Snapshot(nodes), [a_pod("runs", "n1")], "gpu-operator") == {}


# The law


@st.composite
def clusters(draw: st.DrawFn) -> tuple[list[Node], list[Json], dict[str, Expected]]:
    """Up to three nodes, of which some change, and up to six running pods that tolerate, select and request."""
    dedicated = Taint("dedicated", "", "NoSchedule")
    count = draw(st.integers(1, 3))
    nodes = [
        a_node(
            f"n{number}",
            *([dedicated] if draw(st.booleans()) else []),
            slices={SMALL: draw(st.integers(2, 4)), LARGE: draw(st.integers(1, 2))},
        )
        for number in range(count)
    ]
    room = {node.name: dict(node.allocatable) for node in nodes}
    pods = []
    for number in range(draw(st.integers(0, 6))):
        node = draw(st.sampled_from(sorted(room)))
        requests = draw(st.sampled_from([{SMALL: 1}, {SMALL: 2}, {LARGE: 1}, {SMALL: 1, LARGE: 1}]))
        if all(room[node][name] >= n for name, n in requests.items()):
            room[node] = {name: n - requests.get(name, 0) for name, n in room[node].items()}
            constraints: Json = {"nodeSelector": {"kubernetes.io/hostname": node}} if draw(st.booleans()) else {}
            constraints |= {"tolerations": [{"operator": "Exists"}]} if draw(st.booleans()) else {}
            pods.append(a_pod(f"web-{number}", node, requests=requests, **constraints))
    layouts = st.sampled_from([WIDE, an_expected({"1g.10gb": 2}), an_expected({"1g.10gb": 3, "3g.40gb": 1})])
    changing = draw(st.sets(st.sampled_from(sorted(room)), min_size=1))
    return nodes, pods, {name: draw(layouts) for name in sorted(changing)}


@given(clusters())
def test_as_many_pods_are_stranded_as_the_best_assignment_leaves_out(
    cluster: tuple[list[Node], list[Json], dict[str, Expected]],
) -> None:
    nodes, pods, changes = cluster
    moved = [pod for pod in pods if pod["spec"]["nodeName"] in changes]
    found = stranded(nodes, pods, changes, *(pod["metadata"]["name"] for pod in moved))
    offers = {node.name: changes[node.name].allocatable if node.name in changes else node.allocatable for node in nodes}
    free = {name: dict(slices) for name, slices in offers.items()}
    for pod in pods:
        if pod not in moved:
            take(free[pod["spec"]["nodeName"]], requests_of(pod))
    assert len(found) == len(moved) - most_placed(moved, {node.name: node for node in nodes}, free)


def most_placed(pods: list[Json], nodes: dict[str, Node], free: dict[str, dict[str, int]]) -> int:
    if not pods:
        return 0
    first, *rest = pods
    best = most_placed(rest, nodes, free)
    for name, node in nodes.items():
        selected = first["spec"].get("nodeSelector", {}).get("kubernetes.io/hostname", name) == name
        tolerated = not node.full_taints or "tolerations" in first["spec"]
        left = take(dict(free[name]), requests_of(first))
        if selected and tolerated and min(left.values()) >= 0:
            best = max(best, 1 + most_placed(rest, nodes, {**free, name: left}))
    return best


def requests_of(pod: Json) -> dict[str, int]:
    return {name: int(n) for name, n in pod["spec"]["containers"][0]["resources"]["limits"].items()}


def take(left: dict[str, int], requests: dict[str, int]) -> dict[str, int]:
    for name, n in requests.items():
        left[name] = left.get(name, 0) - n
    return left
