"""The capacity and cost of a fleet as plain data, for the stack's outputs and the command line."""

from collections import Counter
from dataclasses import replace
from typing import Any

from mig_fleet.model.allocated_by import offered
from mig_fleet.model.cost import shares
from mig_fleet.stack_file.fleet import Fleet, FleetPool


def of_named_nodes(fleet: Fleet) -> Fleet:
    """Without the pools that have a selector: their number of nodes is unknown until the cluster is read."""
    return replace(fleet, pools=tuple(pool for pool in fleet.pools if pool.settings.selector is None))


def of_one_node(pool: FleetPool, fleet: Fleet) -> Fleet:
    """A fleet with one node of the pool, for capacity and cost per node."""
    return replace(fleet, pools=(replace(pool, nodes=("each",)),))


def capacity(fleet: Fleet) -> dict[str, int]:
    """What pods ask for → slices (or whole GPUs) over all pools: resources, or DeviceClasses under DRA."""
    total: Counter[str] = Counter()
    for pool in fleet.pools:
        of_node = offered(fleet.allocation, fleet.strategy, pool.layout.per_gpu(pool.settings.gpus_per_node))
        total.update({name: n * len(pool.nodes) for name, n in of_node.items()})
    return {name: n for name, n in sorted(total.items()) if n}


def cost(fleet: Fleet) -> dict[str, Any]:
    """USD per hour: for each pool with a price for its GPU model, and for one slice of each of its profiles."""
    pools = {pool.name: _pool_cost(pool, fleet) for pool in fleet.pools if _price(pool, fleet) is not None}
    return {"perHourUsd": round(sum(p["perHourUsd"] for p in pools.values()), 2), "pools": pools} if pools else {}


def slices(pool: FleetPool) -> int:
    """MIG slices on one node of the pool."""
    per_gpu = pool.layout.per_gpu(pool.settings.gpus_per_node)
    return sum(sum(profiles.values()) for profiles in per_gpu if profiles)


def _price(pool: FleetPool, fleet: Fleet) -> float | None:
    return fleet.prices.get(pool.layout.gpu)


def _pool_cost(pool: FleetPool, fleet: Fleet) -> dict[str, Any]:
    price = _price(pool, fleet) or 0.0
    gpus = pool.settings.gpus_per_node * len(pool.nodes)
    # A slice's share depends on the other slices of its GPU, so with differently partitioned GPUs this is the mean.
    slices_of: Counter[str] = Counter()
    shares_of: dict[str, float] = {}
    for profiles in pool.layout.per_gpu(pool.settings.gpus_per_node):
        for name, share in shares(pool.layout.model, profiles or {}).items():
            count = (profiles or {})[name]
            slices_of[name] += count
            shares_of[name] = shares_of.get(name, 0.0) + share * count
    per_slice = {name: round(price * shares_of[name] / count, 3) for name, count in sorted(slices_of.items())}
    return {"perHourUsd": round(price * gpus, 2), "perSliceUsd": per_slice}
