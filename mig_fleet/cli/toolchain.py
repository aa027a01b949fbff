"""``mig-fleet toolchain``: installs the Pulumi engine, its provider and the control plane, and shows where each is."""

import sys

import click
from rich.console import Console
from rich.table import Table

from mig_fleet import toolchain as tools
from mig_fleet.cli import tables
from mig_fleet.cli.progress import progress_on


@click.command()
@click.argument("families", nargs=-1, metavar="[FAMILY]...")
@click.option("--check", is_flag=True, help="Only show the table; exit status 1 if a tool is missing.")
@click.option("--no-download", is_flag=True, help="Never download; build what is not in the cache.")
@click.option("--paths", is_flag=True, help="Print `tool=path` lines instead of the table, for scripts.")
def toolchain(families: tuple[str, ...], check: bool, no_download: bool, paths: bool) -> None:
    """Install the tools for a simulated fleet and `pulumi up`.

    Each tool comes from the first of these places that has it:

    \b
      1. its own variable         MIG_FLEET_PULUMI, MIG_FLEET_KUBE_APISERVER, MIG_FLEET_ETCD, ...
         or envtest's             KUBEBUILDER_ASSETS, TEST_ASSET_KUBE_APISERVER, ...
      2. PATH                     only a supported version
      3. the cache                ~/.cache/mig-fleet
      4. the official download    verified with the publisher's SHA-256; about a minute
      5. a build with Go          from the Go module proxy; about 21 minutes on two cores, once

    FAMILY is engine, kube, etcd, provider (the default: all four) or mig-parted, which only tests use.

    MIG_FLEET_DOWNLOAD=off disables downloads. MIG_FLEET_MIRROR=URL downloads from URL/github.com/... and
    URL/dl.k8s.io/... instead. MIG_FLEET_GO is the path of the Go command for builds.
    """
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
        sys.exit(130)

    if paths:
        for tool in found:
            if tool.path is not None:
                click.echo(f"{tool.name}={tool.path}")
    else:
        tables.show(table(found), Console())
    sys.exit(1 if found.missing else 0)


def table(found: tools.SearchResult) -> Table:
    """For each tool: its version, its place, and why the earlier places were skipped."""
    result = tables.bare("tool", "version", "from", "skipped")
    for tool in found:
        place = f"{tool.place} ({tool.note})" if tool.place and tool.note else tool.place or "[red]missing[/red]"
        result.add_row(tool.name, tool.version, place, "; ".join(tool.skipped))
    return result
