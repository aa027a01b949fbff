"""What only the cluster knows about the pools: the nodes that a selector matches, and the progress of a rollout."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.connection import ClusterArgs
from mig_fleet.cluster.errors import ClusterError
from mig_fleet.model import gpus, labels
from mig_fleet.model.allocated_by import AllocatedBy
from mig_fleet.model.finding import Finding
from mig_fleet.observed.configs.names import expected_config
from mig_fleet.observed.expected import Expected
from mig_fleet.observed.snapshot import Node, observe
from mig_fleet.stack_file.fleet import Fleet, FleetPool
from mig_fleet.stack_file.problems import InvalidSettings

NO_NODE = (
    "no node has these labels; see `kubectl get nodes --show-labels`; for a pool that may have no node, such as one "
    "that an autoscaler grows from zero, set mayBeEmpty: true"
)
NO_DISCOVERY = (
    f"no node has the label {labels.MODEL}: Node Feature Discovery writes it, but is not installed in this cluster "
    "yet; until then select by labels that the nodes already have (docs/reference/rollout.md, Nodes that join)"
)


def cluster_args(fleet: Fleet) -> ClusterArgs:
    """The fleet's cluster in the form that the components take."""
    settings = fleet.settings.cluster
    args: ClusterArgs = {}
    if settings.kubeconfig is not None:
        args["kubeconfig"] = settings.kubeconfig
    if settings.context is not None:
        args["context"] = settings.context
    if settings.in_cluster:
        args["inCluster"] = True
    if settings.on_unreachable != "fail":
        args["onUnreachable"] = settings.on_unreachable
    return args


def needs_cluster(fleet: Fleet) -> bool:
    """Whether a pool has a selector or a bounded rollout, of which only the cluster knows the nodes or the progress."""
    return any(pool.settings.selector or pool.settings.rollout.max_waves_per_update for pool in fleet.pools)


def resolve_nodes(fleet: Fleet, source: str, cluster: Mapping[str, Any] | None = None) -> Fleet:
    """The fleet with the nodes of every selector and the progress of every bounded rollout.

    Reads ``cluster`` (default: that of the settings) only if the fleet has one of them. Raises
    :class:`InvalidSettings` if the cluster does not answer, a selector matches no node, or a node is in two pools.
    """
    if not needs_cluster(fleet):
        return fleet
    has_selector = any(pool.settings.selector for pool in fleet.pools)
    args = cluster_args(fleet) if cluster is None else cast(ClusterArgs, cluster)
    try:
        nodes = observe(args, fleet.settings.probe.namespace, dra=fleet.allocation is AllocatedBy.DRA).nodes.values()
        rules = has_selector and Cluster(args).serves(labels.NODE_FEATURE_API, labels.NODE_FEATURE_RULE)
    except ClusterError as exc:
        text = f"a selector or maxWavesPerUpdate needs to know the cluster's nodes: {exc}"
        raise InvalidSettings(source, [Finding("pools", text)]) from None
    pools = tuple(replace(pool, nodes=_members(pool, nodes), ready=_ready(pool, fleet, nodes)) for pool in fleet.pools)
    problems = [*_empty(pools, rules), *_in_two_pools(pools)]
    if problems:
        raise InvalidSettings(source, problems)
    return replace(fleet, pools=pools, serves_rules=rules)


def _members(pool: FleetPool, nodes: Iterable[Node]) -> tuple[str, ...]:
    if pool.settings.selector is None:
        return pool.nodes
    match_labels = pool.settings.selector.match_labels
    return tuple(sorted(node.name for node in nodes if match_labels.items() <= node.labels.items()))


def _ready(pool: FleetPool, fleet: Fleet, nodes: Iterable[Node]) -> frozenset[str]:
    """The nodes that were verified with the pool's layout and still have its config, or keep another one with the same
    slices.
    """
    expected = Expected.of_layout(pool.layout, pool.settings.gpus_per_node, fleet.strategy, fleet.allocation)
    return frozenset(
        node.name
        for node in nodes
        if node.config == node.annotations.get(labels.VERIFIED_CONFIG)
        and node.config == expected_config(expected, node, pool.settings.config_name)
    )


def _empty(pools: Iterable[FleetPool], rules: bool) -> list[Finding]:
    """A selector without nodes is a mistake, unless it says that it may be empty, or selects the label that mig-fleet's
    NodeFeatureRule writes.
    """
    return [
        Finding(f"pools.{pool.name}.selector", NO_NODE if rules or not _selects_model(pool) else NO_DISCOVERY)
        for pool in pools
        if not pool.nodes and not _may_be_empty(pool) and not (rules and _waits_for_rule(pool))
    ]


def _may_be_empty(pool: FleetPool) -> bool:
    return pool.settings.selector is not None and pool.settings.selector.may_be_empty


def _selects_model(pool: FleetPool) -> bool:
    return pool.settings.selector is not None and labels.MODEL in pool.settings.selector.match_labels


def _waits_for_rule(pool: FleetPool) -> bool:
    selector = pool.settings.selector
    return selector is not None and selector.match_labels.get(labels.MODEL) == gpus.find(pool.settings.gpu).short


def _in_two_pools(pools: Iterable[FleetPool]) -> list[Finding]:
    owner: dict[str, str] = {}
    problems = []
    for pool in pools:
        for node in pool.nodes:
            if node in owner:
                problems.append(Finding(f"pools.{pool.name}", f"node '{node}' is already in pool '{owner[node]}'"))
            owner.setdefault(node, pool.name)
    return problems
