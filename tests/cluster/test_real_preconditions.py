"""What the real API server answers to a write that is bound to another object of the same name."""

import contextlib
from collections.abc import Iterator

import pytest

from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.errors import NodeReplaced
from mig_fleet.simulator import Fleet
from mig_fleet.simulator.errors import ApiError

pytestmark = pytest.mark.engine

NODE = "gpu-node-1"
POD = "/api/v1/namespaces/default/pods/web"
ANOTHER = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def cluster(fleet: Fleet) -> Cluster:
    return Cluster({"kubeconfig": str(fleet.kubeconfig)})


@pytest.fixture
def uid(fleet: Fleet) -> Iterator[str]:
    """That of a pod which no node runs."""
    spec = {"containers": [{"name": "main", "image": "none"}], "schedulingGates": [{"name": "example.com/wait"}]}
    body = {"metadata": {"name": "web"}, "spec": spec}
    yield fleet.call("create", "/api/v1/namespaces/default/pods", body)["metadata"]["uid"]
    with contextlib.suppress(ApiError):
        fleet.call("delete", POD)


def test_a_deletion_of_another_pod_of_the_name_deletes_nothing(fleet: Fleet, cluster: Cluster, uid: str) -> None:
    cluster.delete_pod("default", "web", ANOTHER)
    assert fleet.call("get", POD)["metadata"]["uid"] == uid
    cluster.delete_pod("default", "web", uid)
    with pytest.raises(ApiError):
        fleet.call("get", POD)


def test_an_eviction_of_the_pod_that_was_looked_at_is_accepted(cluster: Cluster, uid: str) -> None:
    assert cluster.evict("default", "web", uid) is None


def test_a_patch_of_another_node_of_the_name_names_the_replaced_node(fleet: Fleet, cluster: Cluster) -> None:
    there = cluster.node(NODE)["metadata"]
    with pytest.raises(NodeReplaced):
        cluster.patch_node(NODE, {"example.com/a": "b"}, {}, ANOTHER)
    assert "example.com/a" not in cluster.node(NODE)["metadata"]["labels"]
    assert cluster.patch_node(NODE, {}, {"example.com/a": "b"}, there["uid"])["metadata"]["uid"] == there["uid"]
