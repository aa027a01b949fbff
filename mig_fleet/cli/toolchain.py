"""``mig-fleet toolchain``: the engine, the provider and the control plane, and where each comes from."""

import sys

import click
from rich.console import Console
from rich.table import Table

from mig_fleet import toolchain as tools
from mig_fleet.cli import tables
from mig_fleet.cli.building import shown_on


@click.command()
@click.argument("families", nargs=-1, metavar="[FAMILY]...")
@click.option("--check", is_flag=True, help="Only report; exit with 1 when a tool is missing.")
@click.option("--no-download", is_flag=True, help="Go from the cache straight to the build.")
@click.option("--paths", is_flag=True, help="Print `tool=path` lines instead of the table, for scripts.")
def toolchain(families: tuple[str, ...], check: bool, no_download: bool, paths: bool) -> None:
    """Find, download or build every tool that a simulated fleet and a `pulumi up` on it need.

    For each tool the first place that serves wins:

    \b
      1. its own variable         MIG_FLEET_PULUMI, MIG_FLEET_KUBE_APISERVER, MIG_FLEET_ETCD, ...
         or envtest's             KUBEBUILDER_ASSETS, TEST_ASSET_KUBE_APISERVER, ...
      2. PATH                     only a version that fits
      3. the cache                ~/.cache/mig-fleet
      4. the official download    checked against its publisher's SHA-256; about a minute
      5. a build with Go          from the Go module proxy; about 21 minutes once on two cores

    FAMILY is engine, kube, etcd, provider (all of them when none is named) or mig-parted, which only tests use.

    MIG_FLEET_DOWNLOAD=off never downloads, MIG_FLEET_MIRROR=URL downloads from URL/github.com/... and
    URL/dl.k8s.io/..., MIG_FLEET_GO names the Go to build with.
    """
    console = Console(stderr=True)
    around = tools.Surroundings.here()
    if no_download:
        around = tools.Surroundings({**around.variables, "MIG_FLEET_DOWNLOAD": "off"})
    try:
        chosen = [tools.family(name) for name in families] or None
        if check:
            found = tools.look(chosen, around=around)
        else:
            found = tools.ensure(chosen, progress=shown_on(console), around=around)
    except tools.ToolchainError as problem:
        raise click.ClickException(str(problem)) from None
    except KeyboardInterrupt:
        console.print("interrupted; nothing half-made was left in the cache")
        sys.exit(130)

    if paths:
        for tool in found:
            if tool.path is not None:
                click.echo(f"{tool.name}={tool.path}")
    else:
        tables.show(table(found), Console())
    sys.exit(1 if found.missing else 0)


def table(found: tools.Found) -> Table:
    """Tool, version, where it came from, why the earlier places did not serve."""
    shown = tables.bare("tool", "version", "from", "passed over")
    for tool in found:
        place = f"{tool.place} ({tool.note})" if tool.place and tool.note else tool.place or "[red]missing[/red]"
        shown.add_row(tool.name, tool.version, place, "; ".join(tool.passed_over))
    return shown
