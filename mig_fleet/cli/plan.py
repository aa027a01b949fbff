"""`mig-fleet plan`: shows the meaning of a stack file without a cluster, the Pulumi engine or any other tool."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from mig_fleet.documents import DocumentError
from mig_fleet.model import pictures
from mig_fleet.model.formatting import format_indices
from mig_fleet.stack_file import fleet as fleets
from mig_fleet.stack_file import summary
from mig_fleet.stack_file.problems import InvalidSettings

EXIT_INVALID = 1
UNCOUNTED = "only the cluster knows how many nodes its selector matches"


@click.command()
@click.option("--stack", default="local", show_default=True, help="The environment; reads stacks/Pulumi.STACK.yaml.")
@click.option("--file", "path", type=click.Path(path_type=Path, dir_okay=False), help="Read this stack file instead.")
def plan(stack: str, path: Path | None) -> None:
    """Show the layouts, nodes, capacity and cost of a stack file.

    Needs no cluster and no other tool. For a pool with a selector it shows the capacity and cost of each node. Exit
    status 1 if the file has mistakes; each is printed with its path, the value that was found, and what would work.
    """
    path = path or Path("stacks") / f"Pulumi.{stack}.yaml"
    try:
        declared = fleets.from_file(path)
    except (InvalidSettings, DocumentError) as exc:
        if path.exists():
            click.echo(str(exc), err=True)
        else:
            others = ", ".join(sorted(p.name.split(".")[1] for p in Path("stacks").glob("Pulumi.*.yaml")))
            click.echo(f"{path} does not exist; stacks here: {others or 'none'}", err=True)
        sys.exit(EXIT_INVALID)
    show(declared, Console(highlight=False))


def show(declared: fleets.Fleet, console: Console) -> None:
    """Prints the pools with a picture of each differently partitioned GPU, then the capacity and cost of the fleet."""
    console.print(f"The plan: {len(declared.pools)} pools, strategy {declared.strategy}; memory slices of each GPU:\n")
    for pool in declared.pools:
        nodes = ", ".join(pool.nodes) or _format_selector(pool)
        console.print(Text.assemble((pool.name, "bold"), f"  {pool.layout.config_name}"))
        console.print(Text(f"  {nodes}: {pool.settings.gpus_per_node}x {pool.settings.gpu}", overflow="fold"))
        for picture, indices in _pictures(pool).items():
            console.print(Text(f"  GPU {format_indices(indices):>5}  {picture}", no_wrap=True, overflow="ignore"))
    for line in ("", *_capacity(declared), *_cost(declared)):
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


def _format_selector(pool: fleets.FleetPool) -> str:
    """The labels of a selector; only the cluster knows the nodes that match."""
    selector = pool.settings.selector
    return "nodes with " + ", ".join(f"{k}={v}" for k, v in (selector.match_labels if selector else {}).items())


def _pictures(pool: fleets.FleetPool) -> dict[str, list[int]]:
    """Picture → the indexes of the GPUs with this picture."""
    found: dict[str, list[int]] = {}
    for index, profiles in enumerate(pool.layout.per_gpu(pool.settings.gpus_per_node)):
        picture = "whole GPU, MIG off" if profiles is None else pictures.row(pool.layout.model, profiles)
        found.setdefault(picture, []).append(index)
    return found
