"""What only the cluster knows of the pools: the nodes that a selector means, and how far a rollout has come."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.connection import ClusterArgs
from mig_fleet.cluster.errors import ClusterError
from mig_fleet.model import gpus, labels
from mig_fleet.observed.snapshot import Node, look
from mig_fleet.stack_file.fleet import Fleet, FleetPool
from mig_fleet.stack_file.problems import InvalidSettings, Problem

NOBODY = "no node has these labels; see `kubectl get nodes --show-labels`"
NO_DISCOVERY = (
    f"no node has the label {labels.MODEL}: Node Feature Discovery writes it, and is not in this cluster yet; until "
    "then select by a label that the nodes have already (docs/rollout.md, Nodes that join)"
)


def cluster_args(fleet: Fleet) -> ClusterArgs:
    """Where the fleet's cluster is, as the components take it."""
    where = fleet.settings.cluster
    args: ClusterArgs = {}
    if where.kubeconfig is not None:
        args["kubeconfig"] = where.kubeconfig
    if where.context is not None:
        args["context"] = where.context
    if where.on_unreachable != "fail":
        args["on_unreachable"] = where.on_unreachable
    return args


def joined(fleet: Fleet, source: str) -> Fleet:
    """The fleet with the nodes of every selector and the progress of every bounded rollout.

    Asks the cluster only where one of them is. Raises :class:`InvalidSettings` when the cluster does not answer, a
    selector matches nothing, or a node has two pools.
    """
    if not any(pool.settings.selector or pool.settings.rollout.max_waves_per_update for pool in fleet.pools):
        return fleet
    chosen = any(pool.settings.selector for pool in fleet.pools)
    try:
        nodes = look(cluster_args(fleet), fleet.settings.probe.namespace).nodes.values()
        rules = chosen and Cluster(cluster_args(fleet)).serves(labels.NODE_FEATURE_API, labels.NODE_FEATURE_RULE)
    except ClusterError as exc:
        text = f"a selector or maxWavesPerUpdate needs to know the cluster's nodes: {exc}"
        raise InvalidSettings(source, [Problem("pools", text)]) from None
    pools = tuple(replace(pool, nodes=_members(pool, nodes), ready=_ready(pool, nodes)) for pool in fleet.pools)
    problems = [*_empty(pools, rules), *_twice(pools)]
    if problems:
        raise InvalidSettings(source, problems)
    return replace(fleet, pools=pools, serves_rules=rules)


def _members(pool: FleetPool, nodes: Iterable[Node]) -> tuple[str, ...]:
    if pool.settings.selector is None:
        return pool.nodes
    wanted: Mapping[str, str] = pool.settings.selector.match_labels
    return tuple(sorted(node.name for node in nodes if wanted.items() <= node.labels.items()))


def _ready(pool: FleetPool, nodes: Iterable[Node]) -> frozenset[str]:
    """The nodes that were verified with the pool's layout and still carry it."""
    config = pool.layout.config_name
    return frozenset(n.name for n in nodes if n.config == config == n.annotations.get(labels.VERIFIED_CONFIG))


def _empty(pools: Iterable[FleetPool], rules: bool) -> list[Problem]:
    """A selector without nodes is a slip of the pen, except where it waits for the label of our own standing rule."""
    return [
        Problem(f"pools.{pool.name}.selector", NOBODY if rules or not _asks_for_model(pool) else NO_DISCOVERY)
        for pool in pools
        if not pool.nodes and not (rules and _waits_for_rule(pool))
    ]


def _asks_for_model(pool: FleetPool) -> bool:
    return pool.settings.selector is not None and labels.MODEL in pool.settings.selector.match_labels


def _waits_for_rule(pool: FleetPool) -> bool:
    selector = pool.settings.selector
    return selector is not None and selector.match_labels.get(labels.MODEL) == gpus.find(pool.settings.gpu).name


def _twice(pools: Iterable[FleetPool]) -> list[Problem]:
    owner: dict[str, str] = {}
    problems = []
    for pool in pools:
        for node in pool.nodes:
            if node in owner:
                problems.append(Problem(f"pools.{pool.name}", f"node '{node}' is in pool '{owner[node]}' already"))
            owner.setdefault(node, pool.name)
    return problems
