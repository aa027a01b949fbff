"""`mig-fleet rights`"""

from pathlib import Path

import click

from mig_fleet.cli.options import json_option, stack_file_options


@click.command()
@stack_file_options
@click.option("--preview", is_flag=True, help="Only what a preview needs: nothing is written.")
@json_option("Print JSON: each right, with what it is for.")
def rights(stack: str, path: Path | None, preview: bool, as_json: bool) -> None:
    """Print the roles that a stack's user needs in the cluster.

    Needs no cluster and no other tool. The chart of the GPU Operator needs more; with `operator.managed: true` an
    administrator runs the first update, and each one that changes the chart.
    """
    from mig_fleet.cli.rights import run
    from mig_fleet.cli.stack_files import path_of

    run(path or path_of(stack), preview, as_json)
