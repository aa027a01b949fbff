"""`mig-fleet fleet`: starts and stops a simulated fleet in the background, and injects faults into it."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from mig_fleet import toolchain
from mig_fleet.cli import tables
from mig_fleet.cli.progress import progress_on
from mig_fleet.model import labels
from mig_fleet.simulator import Fault, Fleet
from mig_fleet.simulator.errors import SimulatorError

DEFAULT_DIRECTORY: Final = Path(".mig-fleet") / "fleet"
NOT_RUNNING: Final = 3
"""The exit status that `systemctl status` also uses."""


class _Commands(click.Group):
    """Prints an error of the simulator or the toolchain as one sentence, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (SimulatorError, toolchain.ToolchainError) as exc:
            raise click.ClickException(str(exc)) from None


@click.group(cls=_Commands)
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_DIRECTORY,
    show_default=True,
    help="The folder of the fleet: kubeconfig, logs, data.",
)
@click.pass_context
def fleet(ctx: click.Context, directory: Path) -> None:
    """Run a simulated fleet, and inject faults into it.

    The fleet is a real control plane on loopback with simulated GPU nodes.
    """
    ctx.obj = Fleet(directory.absolute())


@fleet.command()
@click.option("--fleet", "fleet_file", type=click.Path(path_type=Path, dir_okay=False), help="A YAML file of nodes.")
@click.pass_obj
def up(fleet: Fleet, fleet_file: Path | None) -> None:
    """Start the fleet and wait until it is ready.

    The fleet runs in the background. If it is already running, the command changes nothing.

    Without --fleet: three nodes with eight H100-80GB and one with four A100-80GB. A fleet whose process was killed is
    resumed with all objects of its cluster.
    """
    if fleet.is_running and fleet.status().phase == "ready":
        fleet.up(fleet.directory, fleet_file)
        click.echo("The fleet is already running.")
    else:
        binaries = _binaries(fleet.directory)
        status = fleet.up(binaries, fleet_file, progress=lambda step: click.echo(f"starting {step} ..."))
        click.echo(f"The fleet is ready after {status.seconds:g} s.")
    click.echo(f"\n  export KUBECONFIG={fleet.kubeconfig}")


@fleet.command()
@click.pass_obj
def down(fleet: Fleet) -> None:
    """Stop the fleet, and delete its cluster."""
    click.echo("The fleet is stopped." if fleet.down() else "No fleet was running.")


@fleet.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def status(fleet: Fleet, as_json: bool) -> None:
    """Show the state of the fleet and of its nodes.

    Exit status 0 if the fleet is ready, 3 if it is not.
    """
    found = fleet.status()
    ready = found.phase == "ready"
    nodes = [_summary(fleet, node) for node in fleet.nodes()] if ready else []
    if as_json:
        output = {
            "phase": found.phase,
            "error": found.error,
            "kubeconfig": str(fleet.kubeconfig) if ready else "",
            "server": found.server,
            "processes": {"simulator": found.pid, **found.processes} if ready else {},
            "nodes": nodes,
        }
        click.echo(json.dumps(output, indent=1))
    elif ready:
        _print(nodes)
        click.echo(f"\n  export KUBECONFIG={fleet.kubeconfig}")
    else:
        click.echo(f"The fleet is not running ({found.phase})." + (f"\n{found.error}" if found.error else ""))
    sys.exit(0 if ready else NOT_RUNNING)


@fleet.command()
@click.argument("node")
@click.argument("name", type=click.Choice([str(each) for each in Fault]), metavar="FAULT", required=False)
@click.option("--clear", is_flag=True, help="Clear FAULT, or all faults of the node without FAULT.")
@click.pass_obj
def fault(fleet: Fleet, node: str, name: str | None, clear: bool) -> None:
    """Inject FAULT into NODE, or clear it.

    A fault stays active until it is cleared. `mig-fleet fleet faults` lists all faults.
    """
    if clear:
        fleet.clear_faults(node, Fault(name) if name else None)
    elif name:
        fleet.inject(node, Fault(name))
    active = ", ".join(sorted(fleet.faults(node))) or "none"
    click.echo(f"faults on {node}: {active}")


@fleet.command()
def faults() -> None:
    """List all faults, and what each of them simulates."""
    table = tables.bare("fault", "meaning")
    for each in Fault:
        table.add_row(str(each), each.meaning)
    tables.show(table, Console(highlight=False))


@fleet.command("destroy-slice")
@click.argument("node")
@click.option("--gpu", type=int, default=0, show_default=True, help="The GPU's index.")
@click.option("--start", type=int, required=True, help="The first memory slice of the instance.")
@click.pass_obj
def destroy_slice(fleet: Fleet, node: str, gpu: int, start: int) -> None:
    """Destroy one slice, as `nvidia-smi mig -dgi` does."""
    profile = fleet.destroy_slice(node, gpu, start)
    click.echo(f"{node}: destroyed {profile} at memory slice {start} of GPU {gpu}")


def _binaries(directory: Path) -> Path:
    """A folder with links to the programs of the control plane, which the toolchain may keep in several places."""
    families = [toolchain.family(name) for name in ("kube", "etcd")]
    found = toolchain.ensure(families, progress=progress_on(Console(stderr=True)))
    folder = directory / "bin"
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.mkdir(exist_ok=True)
    for tool in found:
        if tool.path is not None:
            link = folder / tool.name
            link.unlink(missing_ok=True)
            link.symlink_to(tool.path)
    return folder


def _summary(fleet: Fleet, node: Mapping[str, Any]) -> dict[str, Any]:
    name: str = node["metadata"]["name"]
    node_labels = node["metadata"].get("labels") or {}
    driver = fleet.driver(name)
    offered = {
        resource: int(count)
        for resource, count in (node["status"].get("allocatable") or {}).items()
        if resource.startswith("nvidia.com/") and count != "0"
    }
    return {
        "name": name,
        "gpu": driver.gpus[0].model.name,
        "gpus": [dict(sorted(gpu.counts().items())) if gpu.mode else None for gpu in driver.gpus],
        "config": node_labels.get(labels.CONFIG),
        "state": node_labels.get(labels.STATE),
        "allocatable": offered,
        "faults": sorted(fleet.faults(name)),
    }


def _print(nodes: list[dict[str, Any]]) -> None:
    table = tables.bare("node", "GPUs", "config", "state", "allocatable", "faults")
    for node in nodes:
        offered = ", ".join(
            f"{count}x {resource.removeprefix(labels.RESOURCE_PREFIX).removeprefix('nvidia.com/')}"
            for resource, count in sorted(node["allocatable"].items())
        )
        table.add_row(
            node["name"],
            f"{len(node['gpus'])}x {node['gpu']}",
            node["config"],
            node["state"],
            offered,
            ", ".join(node["faults"]),
        )
    tables.show(table, Console(highlight=False))
