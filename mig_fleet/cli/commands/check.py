"""`mig-fleet check`"""

import click

from mig_fleet.cli.options import json_option


@click.command()
@click.argument("what", nargs=-1, metavar="PROFILE=COUNT... | FILE...")
@click.option("--gpu", help="The GPU model, such as H100-80GB; `mig-fleet gpus` lists all models.")
@click.option(
    "--keep",
    multiple=True,
    metavar="PROFILE@START",
    help="An instance that is on the GPU and stays, with its first memory slice; repeat the option for each.",
)
@click.option("--price", type=float, help="The price of the whole GPU in USD per hour; prints the cost of each slice.")
@click.option(
    "--basis",
    type=click.Choice(["max", "compute", "memory"]),
    help="Charge a slice for its share of compute, of memory, or the larger of both (max, the default).",
)
@click.option(
    "--busy",
    multiple=True,
    metavar="PROFILE=0..1",
    help="A slice with a pod, and its utilization from 0 to 1; repeat the option for each slice.",
)
@click.option(
    "--gpus-per-node",
    type=click.IntRange(1, 64),
    help="For mig-parted files: each config must cover every GPU of a node with this many GPUs.",
)
@json_option()
def check(
    what: tuple[str, ...],
    gpu: str | None,
    keep: tuple[str, ...],
    price: float | None,
    basis: str | None,
    busy: tuple[str, ...],
    gpus_per_node: int | None,
    as_json: bool,
) -> None:
    """Check the slices of one GPU, or stack and mig-parted files.

    With --gpu, the command proves that the GPU can hold the slices and prints where, or the nearest slices that fit.
    For files, it prints each mistake with its line, including what NVIDIA's tools accept and then silently do wrong.

    \b
      mig-fleet check --gpu H100-80GB 3g.40gb=2 1g.10gb=1
      mig-fleet check --gpu H100-80GB --keep 3g.40gb@4
      mig-fleet check --gpu H100-80GB 1g.10gb=7 --price 2.50
      mig-fleet check stacks/Pulumi.prod.yaml mig-parted-config.yaml

    With --keep, the slices must fit beside instances that are on the GPU: `nvidia-smi mig -lgi` prints their starts.
    Without slices, the command prints what still fits. A profile may have the spelling of Kubernetes, as in
    nvidia.com/mig-1g.10gb.

    With --price, a slice is charged for the larger of its shares of compute and memory, or for the share that --basis
    names. The price of resources that no slice has is stranded. With --busy, the price is split into four parts: used,
    idle (the unused part of slices with a pod), unallocated (slices without a pod) and stranded.

    Exit status: 0 if everything is proven, 1 if something is impossible or wrong, 3 if something cannot be proven, 2
    if the arguments or a file cannot be read.
    """
    from mig_fleet.cli.check import run
    from mig_fleet.cli.cost import parse_request

    if not what and not keep:
        raise click.UsageError("Missing argument 'PROFILE=COUNT... | FILE...'.")
    run(what, gpu, keep, parse_request(price, basis, busy), gpus_per_node, as_json)
