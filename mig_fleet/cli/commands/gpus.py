"""`mig-fleet gpus`"""

import click

from mig_fleet.cli.options import json_option


@click.command()
@click.argument("model", required=False, metavar="[MODEL | PROFILE]")
@json_option("Print everything in the catalog, or about MODEL or PROFILE, as JSON.")
@click.option("--svg", "as_svg", is_flag=True, help="Print the maximal layouts of MODEL as an SVG picture.")
def gpus(model: str | None, as_json: bool, as_svg: bool) -> None:
    """List MIG-capable GPU models, or show one model or profile.

    For a model, the command prints the slices, GiB, SMs, placements and driver of each profile, the compute instances,
    all maximal layouts as pictures, notes and sources.

    MODEL is a catalog name, a product name as NVML or a node label prints it, or a PCI id such as 0x233010DE. For a
    PROFILE, such as 1g.6gb or nvidia.com/mig-1g.6gb, the command prints its slices and the models that have it. If a
    profile is a different slice on different models, the command fails and lists them.
    """
    from mig_fleet.cli.gpus import run

    run(model, as_json, as_svg)
