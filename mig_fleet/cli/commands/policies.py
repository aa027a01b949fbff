"""`mig-fleet policies`"""

from pathlib import Path

import click

from mig_fleet.cli.options import json_option, stack_file_options


@click.command()
@stack_file_options
@click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The configuration of the policies, as `pulumi preview --policy-pack-config` takes it.",
)
@json_option("Print JSON: everything about each policy, and its verdict.")
def policies(stack: str, path: Path | None, config: Path | None, as_json: bool) -> None:
    """List the policies with their parameters, and their verdict on a stack file.

    Needs no cluster and no other tool, so it does not know which nodes an update changes: a policy about that is
    `unproven` until a preview. Exit status 1 if a mandatory policy is broken, 3 if one is unproven, 2 if the
    configuration has mistakes.

    \b
      mig-fleet policies --stack prod --config policies.json
      pulumi preview --policy-pack policy --policy-pack-config policies.json
    """
    from mig_fleet.cli.policies import run
    from mig_fleet.cli.stack_files import path_of

    run(path or path_of(stack), config, as_json)
