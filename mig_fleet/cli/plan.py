"""The work of `mig-fleet plan`: the meaning of a stack file, or what differs from another one."""

import sys
from pathlib import Path

import click

from mig_fleet.cli import plan_difference, plan_text, stack_files, tables
from mig_fleet.cli.against import UnknownSource, read_against
from mig_fleet.cli.exit_codes import ExitCode
from mig_fleet.cli.outputs.base import print_json
from mig_fleet.documents import DocumentError
from mig_fleet.foreign_text import printable
from mig_fleet.stack_file.comparison import compare
from mig_fleet.stack_file.fleet import Fleet
from mig_fleet.stack_file.problems import InvalidSettings

LONGEST_LINE = 10_000
"""Characters of a line about many nodes."""


def run(path: Path, against: str | None, as_json: bool) -> None:
    """Print the plan of a stack file, or with ``against`` what changes from that source to it."""
    declared = stack_files.read(path)
    if against is not None:
        _compare(declared, path, against, as_json)
    elif as_json:
        print_json(plan_text.to_json(declared))
    else:
        plan_text.show(declared, tables.plain_console())


def _compare(declared: Fleet, path: Path, against: str, as_json: bool) -> None:
    try:
        source, other = read_against(against, path)
    except UnknownSource as exc:
        raise click.UsageError(str(exc)) from None
    except (InvalidSettings, DocumentError) as exc:
        click.echo(str(exc), err=True)
        sys.exit(ExitCode.FAILURE)
    found = compare(other, declared)
    if as_json:
        print_json(plan_difference.to_json(found, source))
    else:
        for line in plan_difference.lines(found, str(path), source):
            click.echo(printable(line, LONGEST_LINE))
