"""`mig-fleet fleet`: a simulated fleet in the background, and bad days on it."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from mig_fleet import toolchain
from mig_fleet.cli import tables
from mig_fleet.cli.building import shown_on
from mig_fleet.model import labels
from mig_fleet.simulator import Fault, Fleet
from mig_fleet.simulator.errors import SimulatorError

DEFAULT_DIRECTORY: Final = Path(".mig-fleet") / "fleet"
NOT_RUNNING: Final = 3
"""As `systemctl status` has it."""


class _Commands(click.Group):
    """What goes wrong in the simulator is said in one sentence and never as a traceback."""

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
    help="Where everything of the fleet lives: kubeconfig, logs, data.",
)
@click.pass_context
def fleet(ctx: click.Context, directory: Path) -> None:
    """A real control plane on loopback, with simulated GPU nodes that behave, bad days included."""
    ctx.obj = Fleet(directory.absolute())


@fleet.command()
@click.option("--fleet", "fleet_file", type=click.Path(path_type=Path, dir_okay=False), help="The nodes, as YAML.")
@click.pass_obj
def up(fleet: Fleet, fleet_file: Path | None) -> None:
    """Start the fleet in the background; returns when it is ready. Running already: says so, changes nothing.

    Without --fleet: three nodes with eight H100-80GB and one with four A100-80GB. A fleet whose process was killed is
    resumed with everything that was in its cluster.
    """
    if fleet.is_running and fleet.status().phase == "ready":
        fleet.up(fleet.directory, fleet_file)
        click.echo("The fleet is running already.")
    else:
        binaries = _binaries(fleet.directory)
        status = fleet.up(binaries, fleet_file, say=lambda step: click.echo(f"starting {step} ..."))
        click.echo(f"The fleet is ready after {status.seconds:g} s.")
    click.echo(f"\n  export KUBECONFIG={fleet.kubeconfig}")


@fleet.command()
@click.pass_obj
def down(fleet: Fleet) -> None:
    """Stop the fleet and forget its cluster; nothing of it is left running."""
    click.echo("The fleet is stopped." if fleet.down() else "No fleet was running.")


@fleet.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def status(fleet: Fleet, as_json: bool) -> None:
    """What runs and what the nodes look like. Exit status 0 when the fleet is ready, 3 when it is not."""
    found = fleet.status()
    ready = found.phase == "ready"
    nodes = [_summary(fleet, node) for node in fleet.nodes()] if ready else []
    if as_json:
        shown = {
            "phase": found.phase,
            "error": found.error,
            "kubeconfig": str(fleet.kubeconfig) if ready else "",
            "server": found.server,
            "processes": {"simulator": found.pid, **found.processes} if ready else {},
            "nodes": nodes,
        }
        click.echo(json.dumps(shown, indent=1))
    elif ready:
        _print(nodes)
        click.echo(f"\n  export KUBECONFIG={fleet.kubeconfig}")
    else:
        click.echo(f"The fleet is not running ({found.phase})." + (f"\n{found.error}" if found.error else ""))
    sys.exit(0 if ready else NOT_RUNNING)


@fleet.command()
@click.argument("node")
@click.argument("name", type=click.Choice([str(each) for each in Fault]), metavar="FAULT", required=False)
@click.option("--clear", is_flag=True, help="End it; without FAULT, all of the node's.")
@click.pass_obj
def fault(fleet: Fleet, node: str, name: str | None, clear: bool) -> None:
    """Play FAULT on NODE until it is cleared; `mig-fleet fleet faults` lists what there is."""
    if clear:
        fleet.heal(node, Fault(name) if name else None)
    elif name:
        fleet.inject(node, Fault(name))
    playing = ", ".join(sorted(fleet.faults(node))) or "nothing"
    click.echo(f"{node} plays: {playing}")


@fleet.command()
def faults() -> None:
    """The bad days there are, and what each of them imitates."""
    table = tables.bare("fault", "meaning")
    for each in Fault:
        table.add_row(str(each), each.meaning)
    tables.show(table, Console(highlight=False))


@fleet.command("destroy-slice")
@click.argument("node")
@click.option("--gpu", type=int, default=0, show_default=True, help="The GPU's index.")
@click.option("--start", type=int, required=True, help="The memory slice at which the instance begins.")
@click.pass_obj
def destroy_slice(fleet: Fleet, node: str, gpu: int, start: int) -> None:
    """Destroy one slice behind everyone's back, as `nvidia-smi mig -dgi` on the node would."""
    profile = fleet.destroy_slice(node, gpu, start)
    click.echo(f"{node}: GPU {gpu} lost its {profile} at memory slice {start}")


def _binaries(directory: Path) -> Path:
    """One folder with the control plane's programs, wherever the toolchain has each of them."""
    wanted = [toolchain.family(name) for name in ("kube", "etcd")]
    found = toolchain.ensure(wanted, progress=shown_on(Console(stderr=True)))
    folder = directory / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    for tool in found:
        if tool.path is not None:
            link = folder / tool.name
            link.unlink(missing_ok=True)
            link.symlink_to(tool.path)
    return folder


def _summary(fleet: Fleet, node: Mapping[str, Any]) -> dict[str, Any]:
    name: str = node["metadata"]["name"]
    carried = node["metadata"].get("labels") or {}
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
        "config": carried.get(labels.CONFIG),
        "state": carried.get(labels.STATE),
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
