"""Pools by label: the nodes are read at each preview, and mistakes are reported before anything changes."""

from dataclasses import replace
from typing import Any

import pytest

from mig_fleet.cluster.connection import ClusterArgs
from mig_fleet.cluster.errors import ClusterUnreachable
from mig_fleet.model import labels
from mig_fleet.observed.snapshot import Node, Snapshot
from mig_fleet.stack_file import fleet, membership
from mig_fleet.stack_file.problems import InvalidSettings

H100, A100 = {"nvidia.com/gpu.family": "hopper"}, {"nvidia.com/gpu.family": "ampere"}


class Cluster:
    """Nodes with labels, and the reads of them."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.reads: list[tuple[ClusterArgs, str]] = []
        self.failure: ClusterUnreachable | None = None
        self.has_rules = False
        """Whether the API server serves NodeFeatureRules."""

    def add(self, name: str, node_labels: dict[str, str], **annotations: str) -> None:
        keys = {f"mig-fleet.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
        self.nodes[name] = Node(name, node_labels, keys, {}, None)

    def serves(self, api_version: str, kind: str) -> bool:
        return self.has_rules and (api_version, kind) == ("nfd.k8s-sigs.io/v1alpha1", "NodeFeatureRule")

    def observe(self, args: ClusterArgs, reports_namespace: str, dra: bool = False) -> Snapshot:
        assert not dra, "nothing of a stack with the device plugin needs ResourceSlices"
        self.reads.append((args, reports_namespace))
        if self.failure:
            raise self.failure
        return Snapshot(self.nodes)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Three nodes of one GPU family, one of another."""
    cluster = Cluster()
    for name in ("h2", "h1", "h3"):
        cluster.add(name, H100)
    cluster.add("a1", A100)
    monkeypatch.setattr(membership, "observe", cluster.observe)
    monkeypatch.setattr(membership, "Cluster", lambda _args: cluster)
    return cluster


def resolved(**pools: dict[str, Any]) -> fleet.Fleet:
    """A stack of these pools, with one layout for each of two GPU models, after the cluster was read."""
    defaults = {"gpu": "H100-80GB", "gpusPerNode": 8, "layout": "dense"}
    raw = {
        "layouts": {
            "dense": {"gpu": "H100-80GB", "all": {"1g.10gb": 7}},
            "sevenths": {"gpu": "H100-94GB", "all": {"1g.12gb": 7}},
        },
        "pools": {name: {**defaults, **pool} for name, pool in pools.items()},
        "cluster": {"kubeconfig": "k", "context": "c"},
    }
    return membership.resolve_nodes(fleet.parse(raw, "x"), "Pulumi.test.yaml")


def problems(**pools: dict[str, Any]) -> list[str]:
    with pytest.raises(InvalidSettings) as refused:
        resolved(**pools)
    return [str(problem) for problem in refused.value.problems]


def by(match_labels: dict[str, str]) -> dict[str, Any]:
    return {"selector": {"matchLabels": match_labels}}


def test_a_selector_matches_the_nodes_that_have_all_its_labels(cluster: Cluster) -> None:
    cluster.add("h4", {**H100, "zone": "a"})
    found = resolved(some=by({**H100, "zone": "a"}), rest={"nodes": ["h1"]})
    assert {pool.name: pool.nodes for pool in found.pools} == {"some": ("h4",), "rest": ("h1",)}


def test_the_order_in_which_the_cluster_lists_its_nodes_does_not_matter(cluster: Cluster) -> None:
    (pool,) = resolved(all=by(H100)).pools
    assert pool.nodes == ("h1", "h2", "h3")


def test_a_node_that_joins_is_in_the_pool_at_the_next_read(cluster: Cluster) -> None:
    assert "h9" not in resolved(all=by(H100)).pools[0].nodes
    cluster.add("h9", H100)
    assert "h9" in resolved(all=by(H100)).pools[0].nodes


def test_the_cluster_is_read_once_and_only_if_needed(cluster: Cluster) -> None:
    resolved(all={"nodes": ["h1"]})
    assert cluster.reads == []
    resolved(one=by(H100), two=by(A100))
    assert cluster.reads == [({"kubeconfig": "k", "context": "c"}, "mig-fleet")]


def test_a_selector_without_nodes_is_a_mistake(cluster: Cluster) -> None:
    assert problems(none=by({"zone": "mars"})) == [
        "pools.none.selector: no node has these labels; see `kubectl get nodes --show-labels`; for a pool that may "
        "have no node, such as one that an autoscaler grows from zero, set mayBeEmpty: true"
    ]


def test_a_pool_that_an_autoscaler_grows_from_zero_may_have_no_node(cluster: Cluster) -> None:
    grows = {"selector": {"matchLabels": {"zone": "mars"}, "mayBeEmpty": True}}
    assert resolved(grows=grows).pools[0].nodes == ()
    cluster.add("m1", {"zone": "mars"})
    assert resolved(grows=grows).pools[0].nodes == ("m1",)


def test_a_selector_of_the_label_that_our_own_rule_writes_may_match_no_node(cluster: Cluster) -> None:
    cluster.has_rules = True
    (pool,) = resolved(all=by({labels.MODEL: "H100-80GB"})).pools
    assert pool.nodes == ()
    assert len(problems(typo=by({labels.MODEL: "A100-80GB"}))) == 1, "the rule never writes that label for this pool"
    nvl = {**by({labels.MODEL: "H100-94GB"}), "gpu": "H100-94GB (NVL / SXM5 94GB)", "layout": "sevenths"}
    assert resolved(nvl=nvl).pools[0].nodes == (), "the label has the short name of the model"
    cluster.has_rules = False
    assert problems(all=by({labels.MODEL: "H100-80GB"})) == [
        "pools.all.selector: no node has the label mig-fleet.dev/gpu: Node Feature Discovery writes it, but is not "
        "installed in this cluster yet; until then select by labels that the nodes already have "
        "(docs/reference/rollout.md, Nodes that join)"
    ]


def test_a_node_that_two_selectors_match_is_reported_with_both_pools(cluster: Cluster) -> None:
    cluster.add("h9", {**A100, **H100, "zone": "a"})
    assert problems(one=by({"zone": "a"}), two=by(H100)) == ["pools.two: node 'h9' is already in pool 'one'"]


def test_a_node_that_a_selector_matches_and_another_pool_lists_is_a_mistake(cluster: Cluster) -> None:
    assert problems(named={"nodes": ["h2"]}, chosen=by(H100)) == ["pools.chosen: node 'h2' is already in pool 'named'"]


def test_all_mistakes_come_at_once(cluster: Cluster) -> None:
    for name in ("h1", "h2", "h3"):
        cluster.add(name, {**H100, "zone": "a"})
    assert len(problems(one=by(H100), two=by({"zone": "a"}), three=by({"zone": "mars"}))) == 4


def test_a_cluster_that_does_not_answer_is_one_sentence(cluster: Cluster) -> None:
    cluster.failure = ClusterUnreachable("the cluster at https://x does not answer: timed out")
    assert problems(all=by(H100)) == [
        "pools: a selector or maxWavesPerUpdate needs to know the cluster's nodes: the cluster at https://x does not "
        "answer: timed out"
    ]


def test_a_bounded_rollout_counts_nodes_that_have_the_layout_and_were_verified_with_it(cluster: Cluster) -> None:
    config = resolved(all=by(H100)).pools[0].layout.config_name
    with_config = {**H100, labels.CONFIG: config}
    cluster.add("h1", with_config, verified_config=config)
    cluster.add("h2", with_config, verified_config="an-older-one")
    cluster.add("h3", H100, verified_config=config)
    (pool,) = resolved(all={**by(H100), "rollout": {"maxWavesPerUpdate": 1}}).pools
    assert pool.ready == {"h1"}


@pytest.mark.parametrize(("config_name", "ready"), [("keep", {"h1"}), ("generated", set())])
def test_a_bounded_rollout_counts_a_node_that_keeps_its_own_name(
    cluster: Cluster, config_name: str, ready: set[str]
) -> None:
    theirs = {**H100, labels.CONFIG: "all-1g.10gb", labels.STATE: "success"}
    for name, slices in {"h1": 56, "h2": 55}.items():
        cluster.add(name, theirs, verified_config="all-1g.10gb")
        cluster.nodes[name] = replace(cluster.nodes[name], allocatable={"nvidia.com/mig-1g.10gb": slices})
    cluster.add("h3", theirs)
    bounded = {**by(H100), "configName": config_name, "rollout": {"maxWavesPerUpdate": 1}}
    assert resolved(inference=bounded).pools[0].ready == ready


def test_a_bounded_rollout_of_named_nodes_keeps_them(cluster: Cluster) -> None:
    (pool,) = resolved(all={"nodes": ["h2", "gone"], "rollout": {"maxWavesPerUpdate": 1}}).pools
    assert pool.nodes == ("h2", "gone"), "a missing node is reported when it would be changed"
