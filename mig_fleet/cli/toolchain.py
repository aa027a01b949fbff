"""The work of ``mig-fleet toolchain``: installs the engine, its provider and the control plane."""

import sys
from typing import NoReturn

import click
from rich.console import Console
from rich.table import Table

from mig_fleet import toolchain as tools
from mig_fleet.cli import tables
from mig_fleet.cli.exit_codes import ExitCode
from mig_fleet.cli.outputs.base import print_json
from mig_fleet.cli.outputs.toolchain import FoundTool
from mig_fleet.cli.progress import progress_on


def run(families: tuple[str, ...], check: bool, no_download: bool, paths: bool, as_json: bool) -> NoReturn:
    """Print the tools and exit; raises ``click.ClickException``."""
    console = Console(stderr=True)
    environment = tools.Environment.current()
    if no_download:
        environment = tools.Environment({**environment.variables, "MIG_FLEET_DOWNLOAD": "off"})
    try:
        chosen = [tools.family(name) for name in families] or None
        if check:
            found = tools.locate(chosen, environment=environment)
        else:
            found = tools.ensure(chosen, progress=progress_on(console), environment=environment)
    except tools.ToolchainError as problem:
        raise click.ClickException(str(problem)) from None
    except KeyboardInterrupt:
        console.print("interrupted; the cache has no incomplete files")
        sys.exit(ExitCode.INTERRUPTED)

    if as_json:
        print_json([_to_json(tool) for tool in found])
    elif paths:
        for tool in found:
            if tool.path is not None:
                click.echo(f"{tool.name}={tool.path}")
    else:
        tables.show(table(found), Console())
    sys.exit(ExitCode.FAILURE if found.missing else ExitCode.SUCCESS)


def _to_json(tool: tools.Tool) -> FoundTool:
    return FoundTool(
        name=tool.name,
        version=tool.version,
        path=str(tool.path) if tool.path else None,
        place=str(tool.place) if tool.place else None,
        note=tool.note,
        skipped=tool.skipped,
    )


def table(found: tools.SearchResult) -> Table:
    """For each tool: its version, its place, and why the earlier places were skipped."""
    result = tables.bare("tool", "version", "from", "skipped")
    for tool in found:
        place = f"{tool.place} ({tool.note})" if tool.place and tool.note else tool.place or "[red]missing[/red]"
        result.add_row(tool.name, tool.version, place, "; ".join(tool.skipped))
    return result
