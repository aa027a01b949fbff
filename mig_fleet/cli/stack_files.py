"""Reads the stack file that a command line names."""

import sys
from pathlib import Path

import click

from mig_fleet.cli.exit_codes import ExitCode
from mig_fleet.cli.options import FOLDER, stack_names
from mig_fleet.documents import DocumentError
from mig_fleet.foreign_text import printable
from mig_fleet.stack_file.fleet import Fleet, from_file
from mig_fleet.stack_file.problems import InvalidSettings


def path_of(stack: str) -> Path:
    """The stack file of a stack of the project in this folder; it need not exist."""
    return FOLDER / f"Pulumi.{stack}.yaml"


def stacks_here() -> str:
    """The names of the project's stacks, for messages."""
    return f"stacks here: {', '.join(stack_names()) or 'none'}"


def read(path: Path) -> Fleet:
    """Prints every mistake and exits if the file cannot be used."""
    try:
        return from_file(path)
    except (InvalidSettings, DocumentError) as exc:
        click.echo(str(exc) if path.exists() else f"{printable(path)} does not exist; {stacks_here()}", err=True)
        sys.exit(ExitCode.FAILURE)
