"""The meaning of a stack file, as text with pictures and as JSON."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from mig_fleet.cli import plan_autoscaling
from mig_fleet.cli.outputs.plan import Autoscaler, Plan, Pool, PoolCost
from mig_fleet.model import pictures
from mig_fleet.model.allocated_by import AllocatedBy
from mig_fleet.model.formatting import format_indices
from mig_fleet.stack_file import fleet as fleets
from mig_fleet.stack_file import summary
from mig_fleet.stack_file.autoscaling import new_node
from mig_fleet.stack_file.comparison import format_pool_gpus, format_selector

UNCOUNTED = "only the cluster knows how many nodes its selector matches"


def show(declared: fleets.Fleet, console: Console) -> None:
    """Prints the pools with a picture of each differently partitioned GPU, then the capacity and cost of the fleet, and
    what autoscalers need.
    """
    by = "slices by ResourceClaims" if declared.allocation is AllocatedBy.DRA else f"strategy {declared.strategy}"
    console.print(f"The plan: {len(declared.pools)} pools, {by}; memory slices of each GPU:\n")
    for pool in declared.pools:
        nodes = ", ".join(pool.nodes) or format_selector(pool)
        console.print(Text.assemble((pool.name, "bold"), f"  {pool.layout.config_name}"))
        console.print(Text(f"  {nodes}: {pool.settings.gpus_per_node}x {pool.settings.gpu}", overflow="fold"))
        for picture, indices in _pictures(pool).items():
            console.print(Text(f"  GPU {format_indices(indices):>5}  {picture}", no_wrap=True, overflow="ignore"))
    for line in ("", *_capacity(declared), *_cost(declared), *plan_autoscaling.lines(declared)):
        console.print(line, soft_wrap=True)


def _capacity(declared: fleets.Fleet) -> Iterator[str]:
    """The sum over the nodes that the file lists; then, for each pool with a selector, the capacity of one node."""
    named, selected = summary.of_named_nodes(declared), _with_selector(declared)
    if named.pools or not selected:
        yield f"Capacity: {_offered(named)}{_without(selected)}"
    else:
        yield f"Capacity: per node ({UNCOUNTED})"
    for pool in selected:
        yield f"  {pool.name}: {_offered(summary.of_one_node(pool, declared))} per node"


def _cost(declared: fleets.Fleet) -> Iterator[str]:
    """In the same form as the capacity; nothing if no GPU has a price."""
    named = summary.cost(summary.of_named_nodes(declared))
    each = {pool.name: summary.cost(summary.of_one_node(pool, declared)) for pool in _with_selector(declared)}
    priced = [pool for pool in _with_selector(declared) if each[pool.name]]
    if named:
        yield f"Cost:     ${named['perHourUsd']:.2f} per hour{_without(priced)}"
        yield from (f"  {name}: {_price(cost, 'per hour')}" for name, cost in named["pools"].items())
    elif priced:
        yield f"Cost:     per node ({UNCOUNTED})"
    for pool in priced:
        yield f"  {pool.name}: {_price(each[pool.name]['pools'][pool.name], 'per hour and node')}"


def _with_selector(declared: fleets.Fleet) -> list[fleets.FleetPool]:
    return [pool for pool in declared.pools if pool.settings.selector is not None]


def _offered(fleet: fleets.Fleet) -> str:
    return ", ".join(f"{count} {resource}" for resource, count in summary.capacity(fleet).items()) or "none"


def _without(pools: Sequence[fleets.FleetPool]) -> str:
    names = ", ".join(pool.name for pool in pools)
    return f", without {names} ({UNCOUNTED})" if names else ""


def _price(cost: Mapping[str, Any], unit: str) -> str:
    prices = ", ".join(f"${usd:.3f} for {profile}" for profile, usd in cost["perSliceUsd"].items())
    return f"${cost['perHourUsd']:.2f} {unit}{'; ' + prices if prices else ''}"


def _pictures(pool: fleets.FleetPool) -> dict[str, list[int]]:
    """Picture → the indexes of the GPUs with this picture."""
    found: dict[str, list[int]] = {}
    for index, profiles in enumerate(pool.layout.per_gpu(pool.settings.gpus_per_node)):
        picture = "whole GPU, MIG off" if profiles is None else pictures.row(pool.layout.model, profiles)
        found.setdefault(picture, []).append(index)
    return found


def to_json(declared: fleets.Fleet) -> Plan:
    """The same as data. A pool with a selector has no nodes, and is in no sum."""
    named = summary.of_named_nodes(declared)
    return Plan(
        strategy=str(declared.strategy),
        allocation=str(declared.allocation),
        pools=tuple(_pool(pool, declared) for pool in declared.pools),
        capacity=summary.capacity(named),
        cost_per_hour_usd=summary.cost(named).get("perHourUsd"),
    )


def _pool(pool: fleets.FleetPool, declared: fleets.Fleet) -> Pool:
    settings, one = pool.settings, summary.of_one_node(pool, declared)
    cost = summary.cost(one)
    price = cost["pools"][pool.name] if cost else None
    return Pool(
        name=pool.name,
        gpu=pool.layout.gpu,
        gpus_per_node=settings.gpus_per_node,
        layout=pool.layout.name,
        config=pool.layout.config_name,
        gpus=format_pool_gpus(pool),
        nodes=pool.nodes,
        selector=dict(settings.selector.match_labels) if settings.selector else None,
        autoscaler=_autoscaler(pool, declared),
        capacity_per_node=summary.capacity(one),
        cost_per_node=PoolCost(per_hour_usd=price["perHourUsd"], per_slice_usd=price["perSliceUsd"]) if price else None,
    )


def _autoscaler(pool: fleets.FleetPool, declared: fleets.Fleet) -> Autoscaler | None:
    node = new_node(pool, declared)
    if node is None:
        return None
    overlay = json.dumps(node.karpenter())
    return Autoscaler(aws=node.aws(), azure=node.azure(), cluster_api=node.cluster_api(), karpenter=overlay)
