"""Pods of users: who owns them, what they hold, and how hard it is to make them leave."""

import time
from collections.abc import Iterator

import pytest

from mig_fleet.simulator.errors import ApiError
from tests.simulator.site import Site

pytestmark = pytest.mark.engine

GPU = {"nvidia.com/gpu": 1}


@pytest.fixture
def users(site: Site) -> Iterator[Site]:
    yield site
    site.fleet.user_pods.clear()
    site.fleet.user_pods.clear("team-a")


def evict(site: Site, pod: str, namespace: str = "default") -> int:
    """The Eviction API's answer, as a status."""
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
    try:
        site.create(f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction", body)
    except ApiError as exc:
        return exc.status
    return 201


def owners(site: Site, name: str, namespace: str = "default") -> list[str]:
    pods = site.fleet.user_pods.named(name, namespace)
    return [owner["kind"] for pod in pods for owner in pod["metadata"].get("ownerReferences", [])]


def holders(site: Site, node: str) -> list[str]:
    return [client.name for gpu in site.fleet.driver(node).gpus for client in gpu.clients]


def test_a_naked_pod_holds_what_it_asked_for_until_it_is_evicted(users):
    assert users.fleet.run_pod("hopper-1", GPU) == "training"
    assert holders(users, "hopper-1") == ["default/training"]
    assert owners(users, "training") == []
    assert evict(users, "training") == 201
    users.eventually(lambda: not users.fleet.user_pods.named("training"), "it left for good")
    assert holders(users, "hopper-1") == []


@pytest.mark.parametrize(("owner", "kind"), [("Deployment", "ReplicaSet"), ("DaemonSet", "DaemonSet")])
def test_a_pod_with_an_owner_is_replaced(users, owner, kind):
    pod = users.fleet.run_pod("hopper-1", GPU, name="serving", namespace="team-a", owner=owner, labels={"tier": "one"})
    assert owners(users, "serving", "team-a") == [kind]
    assert evict(users, pod, "team-a") == 201

    def replaced() -> bool:
        pods = users.fleet.user_pods.named("serving", "team-a")
        return [p["status"]["phase"] for p in pods] == ["Running"] and pods[0]["metadata"]["name"] != pod

    users.eventually(replaced, "another one runs in its place")


def test_a_budget_makes_the_eviction_api_refuse(users):
    pod = users.fleet.run_pod("hopper-1", GPU, name="serving", owner="Deployment")
    users.fleet.user_pods.protect({"app.kubernetes.io/name": "serving"})
    assert evict(users, pod) == 429
    assert holders(users, "hopper-1") == [f"default/{pod}"]


def test_a_pod_that_finds_no_room_stays_pending(users):
    users.fleet.run_pod("hopper-1", {"nvidia.com/gpu": 2}, name="large")
    users.fleet.run_pod(None, {"nvidia.com/mig-1g.10gb": 1}, name="sliced", wait=False)
    assert [pod["status"]["phase"] for pod in users.fleet.user_pods.named("sliced")] == ["Pending"]


def test_a_slow_pod_holds_its_gpu_until_it_has_left(users):
    users.fleet.run_pod("hopper-1", GPU, stops_after_s=1)
    began = time.monotonic()
    assert evict(users, "training") == 201
    users.eventually(lambda: not users.fleet.user_pods.named("training"), "it left")
    assert time.monotonic() - began >= 1
    assert holders(users, "hopper-1") == []


@pytest.mark.parametrize("stubborn", ["never_stops", "held"])
def test_a_stubborn_pod_stays_terminating_until_it_is_cleared(users, stubborn):
    users.fleet.run_pod("hopper-1", GPU, **{stubborn: True})
    assert evict(users, "training") == 201
    pod = users.fleet.user_pods.named("training")[0]
    assert "deletionTimestamp" in pod["metadata"]
    time.sleep(0.5)
    assert users.fleet.user_pods.named("training"), "half a second is five times what others need"
    assert (holders(users, "hopper-1") == ["default/training"]) == (stubborn == "never_stops")
    began = time.monotonic()
    users.fleet.user_pods.clear()
    assert not users.fleet.user_pods.named("training")
    assert time.monotonic() - began < 5, "nobody waits for a grace period"
    users.eventually(lambda: not holders(users, "hopper-1"), "its GPU is free")
