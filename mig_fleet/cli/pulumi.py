"""`mig-fleet pulumi …`: the Pulumi CLI in the project's own corner, away from the user's installation and login."""

import os
from pathlib import Path

import click
from rich.console import Console

from mig_fleet import toolchain
from mig_fleet.cli.building import shown_on


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def pulumi(arguments: tuple[str, ...]) -> None:
    """Run the Pulumi CLI with the local stack's backend, plugins and empty passphrase.

    \b
    mig-fleet pulumi preview --stack local --diff
    mig-fleet pulumi stack output --stack local --json
    """
    try:
        workspace = toolchain.workspace(Path.cwd(), progress=shown_on(Console(stderr=True)))
    except toolchain.ToolchainError as exc:
        raise click.ClickException(str(exc)) from None
    command = str(workspace.pulumi)
    os.execve(command, [command, *arguments], workspace.environment())
