"""Where configs of nodes are looked up: the live file, what each MIG Manager reads, the policy, the operator's own."""

import pytest

from mig_fleet.cluster.errors import ClusterError
from mig_fleet.documents import dump
from mig_fleet.model import labels
from mig_fleet.observed.configs.carried import File
from mig_fleet.observed.configs.sources import read_sources
from mig_fleet.observed.snapshot import Node
from tests.memory.api import MemoryCluster
from tests.memory.fleet import MANAGER, OPERATOR, Fleet

N1 = Node("n1", {labels.CONFIG: "x"}, {}, {}, None)


def write(fleet: Fleet, name: str, *configs: str) -> None:
    """A ConfigMap with these configs."""
    off = [{"devices": "all", "mig-enabled": False}]
    text = f"version: v1\nmig-configs: {dump(dict.fromkeys(configs, off))}"
    fleet.config_map(OPERATOR, name, {labels.LAYOUTS_KEY: text})


def read(fleet: Fleet, node: Node = N1, live: File | None = None, every: bool = False) -> list[list[str]]:
    """The names of the configs in each of the node's files, in order."""
    found = read_sources(MemoryCluster(fleet), OPERATOR, [node], {"all-disabled"}, live or {}, every)
    return [sorted(file) for file in found[node.name]]


@pytest.fixture
def theirs(fleet: Fleet) -> Fleet:
    """MIG Manager reads ``mounted``, the policy names ``chosen``, and the operator's own ConfigMap exists."""
    for name in ("mounted", "chosen", labels.OPERATOR_OWNED_CONFIG_MAP):
        write(fleet, name, name)
    fleet.mount("mounted")
    fleet.clock.sleep(20)
    fleet.cluster_policies = [{"spec": {"migManager": {"config": {"name": "chosen"}}}}]
    return fleet


def test_what_the_pod_mounts_comes_before_what_the_policy_names(theirs: Fleet) -> None:
    assert read(theirs) == [[], ["mounted"], ["chosen"], ["default-mig-parted-config"]]


def test_without_a_pod_the_policy_comes_first(theirs: Fleet) -> None:
    del theirs.pods[theirs.operand("n1", MANAGER)]
    assert read(theirs) == [[], ["chosen"], ["default-mig-parted-config"]]


def test_a_policy_that_may_not_be_read_is_no_obstacle(theirs: Fleet) -> None:
    theirs.fail_requests("GET", "clusterpolicies", ClusterError("forbidden"))
    assert read(theirs)[-1] == ["default-mig-parted-config"]


def test_our_own_file_is_read_once_whatever_mounts_it(theirs: Fleet) -> None:
    theirs.mount(labels.LAYOUTS_CONFIG_MAP)
    theirs.clock.sleep(20)
    theirs.cluster_policies = None
    assert read(theirs) == [[], ["default-mig-parted-config"]]


def test_nothing_is_read_while_the_live_file_has_what_nodes_carry(theirs: Fleet) -> None:
    theirs.clear_requests()
    assert read(theirs, live={"x": ()}) == [["x"]]
    assert read(theirs, Node("n1", {labels.CONFIG: "all-disabled"}, {}, {}, None)) == [[]]
    assert theirs.requests == []


def test_what_a_node_only_needs_for_a_release_is_looked_up_when_the_file_is_written(theirs: Fleet) -> None:
    node = Node("n1", {labels.CONFIG: "all-disabled"}, {labels.PREVIOUS_CONFIG: "old"}, {}, None)
    assert len(read(theirs, node)) == 1
    assert len(read(theirs, node, every=True)) == 4
