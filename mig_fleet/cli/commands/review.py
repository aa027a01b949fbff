"""`mig-fleet review`"""

from pathlib import Path

import click

from mig_fleet.cli.options import json_option


@click.command()
@click.argument(
    "previews", nargs=-1, type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), metavar="FILE..."
)
@click.option(
    "--events",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The event log of a preview, which has the results of its policies; repeat the option for each one.",
)
@click.option(
    "--format",
    "chosen",
    type=click.Choice(["markdown", "text", "html", "json"]),
    default="markdown",
    show_default=True,
    help="Markdown is a comment of a pull request, at most 65,536 characters; HTML is one page with pictures.",
)
@json_option("Print JSON, as --format json.")
def review(previews: tuple[Path, ...], events: tuple[Path, ...], chosen: str, as_json: bool) -> None:
    """Review what `pulumi preview --json` shows: whether it will be refused, and what it does to nodes and pods.

    Without FILE, or with -, it reads standard input. Several stacks make one review. Needs no cluster, no stack file
    and no other tool.

    \b
      pulumi preview --json > preview.json
      mig-fleet review preview.json > comment.md

    Exit status: 0 if nothing will be refused, 1 if the update will be refused or a mandatory policy denies it, 2 if a
    file is no preview. The review is printed with status 0 and 1.
    """
    from mig_fleet.cli.review import run

    run(previews or (Path("-"),), events, "json" if as_json else chosen)
