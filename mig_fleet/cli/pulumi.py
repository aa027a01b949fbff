"""`mig-fleet pulumi …`: the Pulumi CLI with the project's own backend, apart from the user's installation and login."""

import os
from pathlib import Path

import click
from rich.console import Console

from mig_fleet import toolchain
from mig_fleet.cli.progress import progress_on


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def pulumi(arguments: tuple[str, ...]) -> None:
    """Run the Pulumi CLI for the local stack.

    The command sets the backend, the plugins and the empty passphrase of the stack.

    \b
    mig-fleet pulumi preview --stack local --diff
    mig-fleet pulumi stack output --stack local --json
    """
    try:
        workspace = toolchain.workspace(Path.cwd(), progress=progress_on(Console(stderr=True)))
    except toolchain.ToolchainError as exc:
        raise click.ClickException(str(exc)) from None
    command = str(workspace.pulumi)
    os.execve(command, [command, *arguments], workspace.environment())
