"""`mig-fleet advise`"""

from pathlib import Path

import click

from mig_fleet.cli.options import json_option, stack_option


@click.command()
@click.argument("stack_file", required=False, type=click.Path(path_type=Path, dir_okay=False), metavar="[STACK_FILE]")
@stack_option("The environment; reads stacks/Pulumi.STACK.yaml.")
@click.option("--prometheus", required=True, metavar="URL", help="The address, without /api/v1/query.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A bearer token; else $MIG_FLEET_PROMETHEUS_TOKEN, if it is set.",
)
@click.option(
    "--ca",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The certificate authority of an https:// address, in PEM form.",
)
@click.option("--window", default="14d", show_default=True, help="The time until now that is read: 1d to 90d.")
@json_option()
def advise(
    stack_file: Path | None,
    stack: str,
    prometheus: str,
    token_file: Path | None,
    ca: Path | None,
    window: str,
    as_json: bool,
) -> None:
    """Advise smaller slices where pods use less than they have, by what Prometheus recorded.

    Reads the recorded series of docs/reference/monitoring.md, for 600 seconds at most, and prints a finding for each
    profile of each layout, with its coverage and confidence; then the change of the layouts that follows, as a diff of
    the stack file, with what it saves. It changes nothing: the diff is for you to apply and to review. Without
    STACK_FILE it reads the file of --stack.

    \b
      mig-fleet advise --stack prod --prometheus https://prometheus.example.com --token-file token

    Exit status: 0 if the size of any slices is known, changed or not, 1 if the stack file or Prometheus cannot be read,
    3 if nothing is known, such as after too short a time.
    """
    from mig_fleet.cli.advise import run
    from mig_fleet.cli.stack_files import path_of

    run(stack_file or path_of(stack), prometheus, token_file, ca, window, as_json)
