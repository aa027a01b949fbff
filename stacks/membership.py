"""Which nodes are in which pool: by name as written, or by their labels as they are at this moment."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from components.connection import ClusterArgs, ClusterError
from components.look import Node, look
from stacks.fleet import Fleet, FleetPool
from stacks.problems import InvalidSettings, Problem


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
    """The fleet with the nodes of every selector; asks the cluster only where there is one.

    Raises :class:`InvalidSettings` when the cluster does not answer, a selector matches nothing, or a node has two
    pools.
    """
    if not any(pool.settings.selector for pool in fleet.pools):
        return fleet
    try:
        nodes = look(cluster_args(fleet), fleet.settings.operator.namespace).nodes.values()
    except ClusterError as exc:
        raise InvalidSettings(source, [Problem("pools", f"the nodes of a selector are not known: {exc}")]) from None
    pools = tuple(replace(pool, nodes=_members(pool, nodes)) for pool in fleet.pools)
    problems = [*_empty(pools), *_twice(pools)]
    if problems:
        raise InvalidSettings(source, problems)
    return replace(fleet, pools=pools)


def _members(pool: FleetPool, nodes: Iterable[Node]) -> tuple[str, ...]:
    if pool.settings.selector is None:
        return pool.nodes
    wanted: Mapping[str, str] = pool.settings.selector.match_labels
    return tuple(sorted(node.name for node in nodes if wanted.items() <= node.labels.items()))


def _empty(pools: Iterable[FleetPool]) -> list[Problem]:
    return [
        Problem(f"pools.{pool.name}.selector", "no node has these labels; see `kubectl get nodes --show-labels`")
        for pool in pools
        if not pool.nodes
    ]


def _twice(pools: Iterable[FleetPool]) -> list[Problem]:
    owner: dict[str, str] = {}
    problems = []
    for pool in pools:
        for node in pool.nodes:
            if node in owner:
                problems.append(Problem(f"pools.{pool.name}", f"node '{node}' is in pool '{owner[node]}' already"))
            owner.setdefault(node, pool.name)
    return problems
