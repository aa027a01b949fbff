"""Pods of users: their owners, their GPUs, and how they terminate."""

import time
from collections.abc import Iterator

import pytest

from mig_fleet.simulator.errors import ApiError
from mig_fleet.simulator.user_pods import Owner
from tests.simulator.site import Site

pytestmark = pytest.mark.engine

GPU = {"nvidia.com/gpu": 1}


@pytest.fixture
def users(site: Site) -> Iterator[Site]:
    yield site
    site.fleet.user_pods.clear()
    site.fleet.user_pods.clear("team-a")


def evict(site: Site, pod: str, namespace: str = "default") -> int:
    """The HTTP status of the Eviction API."""
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
    try:
        site.create(f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction", body)
    except ApiError as exc:
        return exc.status
    return 201


def owners(site: Site, name: str, namespace: str = "default") -> list[str]:
    pods = site.fleet.user_pods.pods_of(name, namespace)
    return [owner["kind"] for pod in pods for owner in pod["metadata"].get("ownerReferences", [])]


def clients(site: Site, node: str) -> list[str]:
    return [client.name for gpu in site.fleet.driver(node).gpus for client in gpu.clients]


def test_a_pod_without_owner_keeps_its_gpu_until_it_is_evicted(users: Site) -> None:
    assert users.fleet.run_pod("hopper-1", GPU) == "training"
    assert clients(users, "hopper-1") == ["default/training"]
    assert owners(users, "training") == []
    assert evict(users, "training") == 201
    users.eventually(lambda: not users.fleet.user_pods.pods_of("training"), "it is deleted and not replaced")
    assert clients(users, "hopper-1") == []


@pytest.mark.parametrize(("owner", "kind"), [("Deployment", "ReplicaSet"), ("DaemonSet", "DaemonSet")])
def test_a_pod_with_an_owner_is_replaced(users: Site, owner: Owner, kind: str) -> None:
    pod = users.fleet.run_pod("hopper-1", GPU, name="serving", namespace="team-a", owner=owner, labels={"tier": "one"})
    assert owners(users, "serving", "team-a") == [kind]
    assert evict(users, pod, "team-a") == 201

    def replaced() -> bool:
        pods = users.fleet.user_pods.pods_of("serving", "team-a")
        return [p["status"]["phase"] for p in pods] == ["Running"] and pods[0]["metadata"]["name"] != pod

    users.eventually(replaced, "another pod replaces it")


def test_a_budget_makes_the_eviction_api_refuse(users: Site) -> None:
    pod = users.fleet.run_pod("hopper-1", GPU, name="serving", owner="Deployment")
    users.fleet.user_pods.protect({"app.kubernetes.io/name": "serving"})
    assert evict(users, pod) == 429
    assert clients(users, "hopper-1") == [f"default/{pod}"]


def test_a_pod_that_cannot_be_scheduled_stays_pending(users: Site) -> None:
    users.fleet.run_pod("hopper-1", {"nvidia.com/gpu": 2}, name="large")
    users.fleet.run_pod(None, {"nvidia.com/mig-1g.10gb": 1}, name="sliced", wait=False)
    assert [pod["status"]["phase"] for pod in users.fleet.user_pods.pods_of("sliced")] == ["Pending"]


def test_a_slow_pod_keeps_its_gpu_until_it_has_terminated(users: Site) -> None:
    users.fleet.run_pod("hopper-1", GPU, stops_after_s=1)
    start = time.monotonic()
    assert evict(users, "training") == 201
    users.eventually(lambda: not users.fleet.user_pods.pods_of("training"), "it is deleted")
    assert time.monotonic() - start >= 1
    assert clients(users, "hopper-1") == []


@pytest.mark.parametrize("option", ["never_stops", "finalizer"])
def test_a_pod_that_does_not_terminate_stays_terminating_until_it_is_cleared(users: Site, option: str) -> None:
    users.fleet.run_pod("hopper-1", GPU, **{option: True})
    assert evict(users, "training") == 201
    pod = users.fleet.user_pods.pods_of("training")[0]
    assert "deletionTimestamp" in pod["metadata"]
    time.sleep(0.5)
    assert users.fleet.user_pods.pods_of("training"), "other pods need a tenth of a second"
    assert (clients(users, "hopper-1") == ["default/training"]) == (option == "never_stops")
    start = time.monotonic()
    users.fleet.user_pods.clear()
    assert not users.fleet.user_pods.pods_of("training")
    assert time.monotonic() - start < 5, "it does not wait for the grace period"
    users.eventually(lambda: not clients(users, "hopper-1"), "its GPU is free")
