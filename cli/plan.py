"""`mig-fleet plan`: what a stack file means, without a cluster, an engine or any tool."""

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from components.documents import DocumentError
from mig import pictures
from mig.wording import indices_text
from stacks import fleet as fleets
from stacks import summary
from stacks.problems import InvalidSettings

EXIT_INVALID = 1


@click.command()
@click.option("--stack", default="local", show_default=True, help="The environment: stacks/Pulumi.STACK.yaml.")
@click.option("--file", "path", type=click.Path(path_type=Path, dir_okay=False), help="A stack file elsewhere.")
def plan(stack: str, path: Path | None) -> None:
    """Show what a stack file means: layouts with their slices, nodes, capacity and cost.

    Needs no cluster and no tool. Exits 1 when the file has mistakes, each named with its place, what was found and
    what would work.
    """
    path = path or Path("stacks") / f"Pulumi.{stack}.yaml"
    try:
        declared = fleets.from_file(path)
    except (InvalidSettings, DocumentError) as exc:
        if path.exists():
            click.echo(str(exc), err=True)
        else:
            others = ", ".join(sorted(p.name.split(".")[1] for p in Path("stacks").glob("Pulumi.*.yaml")))
            click.echo(f"there is no {path}; stacks here: {others or 'none'}", err=True)
        sys.exit(EXIT_INVALID)
    show(declared, Console(highlight=False))


def show(declared: fleets.Fleet, console: Console) -> None:
    """Pools with a picture of each kind of GPU, then what they offer together."""
    console.print(f"The plan: {len(declared.pools)} pools, strategy {declared.strategy}; memory slices of each GPU:\n")
    for pool in declared.pools:
        nodes = ", ".join(pool.nodes) or _chosen(pool)
        console.print(Text.assemble((pool.name, "bold"), f"  {pool.layout.config_name}"))
        console.print(Text(f"  {nodes}: {pool.settings.gpus_per_node}x {pool.settings.gpu}", overflow="fold"))
        for picture, indices in _pictures(pool).items():
            console.print(Text(f"  GPU {indices_text(indices):>5}  {picture}", no_wrap=True, overflow="ignore"))
    console.print(
        "\nCapacity: " + (", ".join(f"{n} {r}" for r, n in summary.capacity(declared).items()) or "none"),
        soft_wrap=True,
    )
    cost = summary.cost(declared)
    if cost:
        console.print(f"Cost:     ${cost['perHourUsd']:.2f} per hour")
        for name, pool_cost in cost["pools"].items():
            prices = ", ".join(f"${usd:.3f} for {profile}" for profile, usd in pool_cost["perSliceUsd"].items())
            console.print(
                f"  {name}: ${pool_cost['perHourUsd']:.2f} per hour{'; ' + prices if prices else ''}", soft_wrap=True
            )


def _chosen(pool: fleets.FleetPool) -> str:
    """The words of a selector; which nodes that are, only the cluster knows."""
    selector = pool.settings.selector
    return "nodes with " + ", ".join(f"{k}={v}" for k, v in (selector.match_labels if selector else {}).items())


def _pictures(pool: fleets.FleetPool) -> dict[str, list[int]]:
    """Picture → the GPUs that look like it."""
    found: dict[str, list[int]] = {}
    for index, profiles in enumerate(pool.layout.per_gpu(pool.settings.gpus_per_node)):
        picture = "whole GPU, MIG off" if profiles is None else pictures.row(pool.layout.model, profiles)
        found.setdefault(picture, []).append(index)
    return found
