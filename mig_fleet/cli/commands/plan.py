"""`mig-fleet plan`"""

from pathlib import Path

import click

from mig_fleet.cli.options import json_option, stack_file_options


@click.command()
@stack_file_options
@click.option(
    "--against",
    metavar="REV|STACK|FILE",
    help="Show what differs from a git revision of the stack file, from another stack, or from another file.",
)
@json_option()
def plan(stack: str, path: Path | None, against: str | None, as_json: bool) -> None:
    """Show the layouts, nodes, capacity and cost of a stack file.

    Needs no cluster and no other tool. For a pool with a selector it shows the capacity and cost of each node. Exit
    status 1 if the file has mistakes; each is printed with its path, the value that was found, and what would work.

    With --against, it shows what changes from that file to this one: layouts, nodes, capacity, cost, and the names of
    other settings. The exit status is 0 whether something differs or not; `different` of --json is the answer.

    \b
      mig-fleet plan --stack prod --against main
      mig-fleet plan --stack prod --against staging
      mig-fleet plan --file new.yaml --against stacks/Pulumi.prod.yaml
    """
    from mig_fleet.cli.plan import run
    from mig_fleet.cli.stack_files import path_of

    run(path or path_of(stack), against, as_json)
