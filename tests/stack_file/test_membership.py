"""Pools by label: the nodes are looked up at each preview, and what cannot be meant is said before anything happens."""

from typing import Any

import pytest

from mig_fleet.cluster.connection import ClusterArgs
from mig_fleet.cluster.errors import ClusterUnreachable
from mig_fleet.model import labels
from mig_fleet.observed.snapshot import Look, Node
from mig_fleet.stack_file import fleet, membership
from mig_fleet.stack_file.problems import InvalidSettings

H100, A100 = {"nvidia.com/gpu.family": "hopper"}, {"nvidia.com/gpu.family": "ampere"}


class Cluster:
    """Nodes by their labels, and who asked where."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.asked: list[tuple[ClusterArgs, str]] = []
        self.away: ClusterUnreachable | None = None
        self.has_rules = False
        """Whether the API server has NodeFeatureRules."""

    def add(self, name: str, carried: dict[str, str], **annotations: str) -> None:
        notes = {f"mig-fleet.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
        self.nodes[name] = Node(name, carried, notes, {}, None)

    def serves(self, api_version: str, kind: str) -> bool:
        return self.has_rules and (api_version, kind) == ("nfd.k8s-sigs.io/v1alpha1", "NodeFeatureRule")

    def look(self, where: ClusterArgs, reports: str) -> Look:
        self.asked.append((where, reports))
        if self.away:
            raise self.away
        return Look(self.nodes)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Three nodes of one family, one of another."""
    cluster = Cluster()
    for name in ("h2", "h1", "h3"):
        cluster.add(name, H100)
    cluster.add("a1", A100)
    monkeypatch.setattr(membership, "look", cluster.look)
    monkeypatch.setattr(membership, "Cluster", lambda _args: cluster)
    return cluster


def joined(**pools: dict[str, Any]) -> fleet.Fleet:
    """A stack of these pools, with one layout, after the cluster was asked."""
    defaults = {"gpu": "H100-80GB", "gpusPerNode": 8, "layout": "dense"}
    raw = {
        "layouts": {"dense": {"gpu": "H100-80GB", "all": {"1g.10gb": 7}}},
        "pools": {name: {**defaults, **pool} for name, pool in pools.items()},
        "cluster": {"kubeconfig": "k", "context": "c"},
    }
    return membership.joined(fleet.parse(raw, "x"), "Pulumi.test.yaml")


def problems(**pools: dict[str, Any]) -> list[str]:
    with pytest.raises(InvalidSettings) as refused:
        joined(**pools)
    return [str(problem) for problem in refused.value.problems]


def by(wanted: dict[str, str]) -> dict[str, Any]:
    return {"selector": {"matchLabels": wanted}}


def test_a_selector_means_the_nodes_that_carry_all_its_labels_now(cluster: Cluster) -> None:
    cluster.add("h4", {**H100, "zone": "a"})
    found = joined(some=by({**H100, "zone": "a"}), rest={"nodes": ["h1"]})
    assert {pool.name: pool.nodes for pool in found.pools} == {"some": ("h4",), "rest": ("h1",)}


def test_the_order_in_which_the_cluster_lists_its_nodes_does_not_matter(cluster: Cluster) -> None:
    (pool,) = joined(all=by(H100)).pools
    assert pool.nodes == ("h1", "h2", "h3")


def test_a_node_that_joins_is_in_the_pool_from_the_next_look_on(cluster: Cluster) -> None:
    assert "h9" not in joined(all=by(H100)).pools[0].nodes
    cluster.add("h9", H100)
    assert "h9" in joined(all=by(H100)).pools[0].nodes


def test_the_cluster_is_asked_once_and_only_where_it_must_be(cluster: Cluster) -> None:
    joined(all={"nodes": ["h1"]})
    assert cluster.asked == []
    joined(one=by(H100), two=by(A100))
    assert cluster.asked == [({"kubeconfig": "k", "context": "c"}, "mig-fleet")]


def test_a_selector_that_means_nobody_is_a_mistake(cluster: Cluster) -> None:
    assert problems(none=by({"zone": "mars"})) == [
        "pools.none.selector: no node has these labels; see `kubectl get nodes --show-labels`"
    ]


def test_a_selector_that_waits_for_our_own_standing_rule_may_be_empty(cluster: Cluster) -> None:
    cluster.has_rules = True
    (pool,) = joined(all=by({labels.MODEL: "H100-80GB"})).pools
    assert pool.nodes == ()
    assert len(problems(typo=by({labels.MODEL: "A100-80GB"}))) == 1, "the rule will never give it that label"
    cluster.has_rules = False
    assert problems(all=by({labels.MODEL: "H100-80GB"})) == [
        "pools.all.selector: no node has the label mig-fleet.dev/gpu: Node Feature Discovery writes it, and is not in "
        "this cluster yet; until then select by a label that the nodes have already (docs/rollout.md, Nodes that join)"
    ]


def test_a_node_that_two_selectors_mean_is_named_with_both(cluster: Cluster) -> None:
    cluster.add("h9", {**A100, **H100, "zone": "a"})
    assert problems(one=by({"zone": "a"}), two=by(H100)) == ["pools.two: node 'h9' is in pool 'one' already"]


def test_a_node_that_a_selector_means_and_another_pool_names_is_a_mistake_too(cluster: Cluster) -> None:
    assert problems(named={"nodes": ["h2"]}, chosen=by(H100)) == ["pools.chosen: node 'h2' is in pool 'named' already"]


def test_all_mistakes_come_at_once(cluster: Cluster) -> None:
    assert len(problems(one=by(H100), two=by(H100), three=by({"zone": "mars"}))) == 4


def test_a_cluster_that_does_not_answer_is_one_sentence(cluster: Cluster) -> None:
    cluster.away = ClusterUnreachable("the cluster at https://x does not answer: timed out")
    assert problems(all=by(H100)) == [
        "pools: a selector or maxWavesPerUpdate needs to know the cluster's nodes: the cluster at https://x does not "
        "answer: timed out"
    ]


def test_a_bounded_rollout_counts_those_that_carry_the_layout_and_were_verified_with_it(cluster: Cluster) -> None:
    config = joined(all=by(H100)).pools[0].layout.config_name
    carrying = {**H100, labels.CONFIG: config}
    cluster.add("h1", carrying, verified_config=config)
    cluster.add("h2", carrying, verified_config="an-older-one")
    cluster.add("h3", H100, verified_config=config)
    (pool,) = joined(all={**by(H100), "rollout": {"maxWavesPerUpdate": 1}}).pools
    assert pool.ready == {"h1"}


def test_a_bounded_rollout_of_named_nodes_keeps_them(cluster: Cluster) -> None:
    (pool,) = joined(all={"nodes": ["h2", "gone"], "rollout": {"maxWavesPerUpdate": 1}}).pools
    assert pool.nodes == ("h2", "gone"), "a node that is not there is said where it is changed"
