"""The work of `mig-fleet simulate`: starts and stops a simulated fleet in the background, injects faults into it."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn

import click
from rich.console import Console

from mig_fleet import toolchain
from mig_fleet.cli import tables
from mig_fleet.cli.exit_codes import ExitCode
from mig_fleet.cli.outputs.base import print_json
from mig_fleet.cli.outputs.simulate import FaultMeaning, FleetStatus, NodeFaults, SimulatedNode
from mig_fleet.cli.progress import progress_on
from mig_fleet.foreign_text import printable
from mig_fleet.model import labels
from mig_fleet.simulator import Fault, Fleet
from mig_fleet.simulator.errors import SimulatorError
from mig_fleet.simulator.fleet_file import FleetFile
from mig_fleet.simulator.genuine import require_namespaces
from mig_fleet.toolchain.private_folder import make_private, refuse_unsafe
from mig_fleet.toolchain.workspace import FOLDER

CONTROL_PLANE: Final = ("kube", "etcd")
GENUINE: Final = ("mig-parted", "mig-manager")
"""Families of NVIDIA's own programs, which are built from their published sources."""
GENUINE_DRA: Final = "dra-plugin"
"""The family that a fleet with DRA needs besides."""


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """Raises ``click.ClickException`` for an error of the simulator or the toolchain, and for a folder that cannot be
    used.
    """
    try:
        yield
    except (SimulatorError, toolchain.ToolchainError) as exc:
        raise click.ClickException(str(exc)) from None
    except (FileExistsError, NotADirectoryError, PermissionError) as exc:
        raise click.ClickException(f"{printable(exc.filename)}: {exc.strerror}") from None


def refuse_unsafe_folder(directory: Path) -> None:
    """Raises :class:`~mig_fleet.toolchain.UnsafeFolder` for a fleet's folder that another user may have filled."""
    for folder in _own_folders(directory):
        refuse_unsafe(folder)


def _own_folders(directory: Path) -> tuple[Path, ...]:
    """The folders of a fleet from the outermost: the workspace, if it is in one, its folder, and its programs."""
    workspaces = [each for each in directory.parents if each.name == FOLDER]
    return (*reversed(workspaces), directory, directory / "bin")


def up(directory: Path, fleet_file: Path | None, *, genuine: bool = False) -> None:
    """Start the fleet, unless it runs; ``genuine`` with NVIDIA's own MIG Manager, and DRA driver, on each node."""
    for folder in _own_folders(directory):
        make_private(folder)
    fleet = Fleet(directory)
    if fleet.is_running and fleet.status().phase == "ready":
        fleet.up(directory, fleet_file, genuine=genuine)
        click.echo("The fleet is already running.")
    else:
        if genuine:
            require_namespaces()  # before minutes of building
        uses_dra = fleet_file is not None and FleetFile.load(fleet_file).allocation == "dra"
        families = (*GENUINE, *((GENUINE_DRA,) if uses_dra else ())) if genuine else ()
        programs = _binaries(directory, (*CONTROL_PLANE, *families))
        started = fleet.up(programs, fleet_file, lambda step: click.echo(f"starting {step} ..."), genuine=genuine)
        click.echo(f"The fleet is ready after {started.seconds:g} s.")
    click.echo(f"\n  export KUBECONFIG={fleet.kubeconfig}")


def down(directory: Path) -> None:
    """Stop the fleet."""
    click.echo("The fleet is stopped." if Fleet(directory).down() else "No fleet was running.")


def status(directory: Path, as_json: bool) -> NoReturn:
    """Print the state of the fleet, and exit."""
    fleet = Fleet(directory)
    found = fleet.status()
    ready = found.phase == "ready"
    nodes = tuple(_summary(fleet, node) for node in fleet.nodes()) if ready else ()
    if as_json:
        print_json(
            FleetStatus(
                phase=found.phase,
                error=found.error,
                kubeconfig=str(fleet.kubeconfig) if ready else "",
                server=found.server,
                processes={"simulator": found.pid, **found.processes} if ready else {},
                genuine=ready and bool(found.genuine),
                nodes=nodes,
            )
        )
    elif ready:
        _print(nodes)
        if found.genuine:
            click.echo("\nNVIDIA's own MIG Manager runs on the nodes.")
        click.echo(f"\n  export KUBECONFIG={fleet.kubeconfig}")
    else:
        click.echo(f"The fleet is not running ({found.phase})." + (f"\n{found.error}" if found.error else ""))
    sys.exit(ExitCode.SUCCESS if ready else ExitCode.UNKNOWN)


def fault(directory: Path, node: str, name: str | None, clear: bool, as_json: bool) -> None:
    """Inject or clear a fault, and print the node's active ones."""
    fleet = Fleet(directory)
    if clear:
        fleet.clear_faults(node, Fault(name) if name else None)
    elif name:
        fleet.inject(node, Fault(name))
    active = tuple(sorted(map(str, fleet.faults(node))))
    if as_json:
        print_json(NodeFaults(node=node, faults=active))
    else:
        click.echo(f"faults on {node}: {', '.join(active) or 'none'}")


def faults(as_json: bool) -> None:
    """Print every fault and its meaning."""
    if as_json:
        print_json([FaultMeaning(fault=str(each), meaning=each.meaning) for each in Fault])
        return
    table = tables.bare("fault", "meaning")
    for each in Fault:
        table.add_row(str(each), each.meaning)
    tables.show(table, tables.plain_console())


def destroy_slice(directory: Path, node: str, gpu: int, start: int) -> None:
    """Destroy the slice that begins at memory slice ``start``."""
    profile = Fleet(directory).destroy_slice(node, gpu, start)
    click.echo(f"{node}: destroyed {profile} at memory slice {start} of GPU {gpu}")


def _binaries(directory: Path, families: Sequence[str]) -> Path:
    """A folder with links to the programs of these families, which the toolchain may keep in several places."""
    found = toolchain.ensure(map(toolchain.family, families), progress=progress_on(Console(stderr=True)))
    folder = directory / "bin"
    for tool in found:
        if tool.path is not None:
            link = folder / tool.name
            link.unlink(missing_ok=True)
            link.symlink_to(tool.path)
    return folder


def _summary(fleet: Fleet, node: Mapping[str, Any]) -> SimulatedNode:
    name: str = node["metadata"]["name"]
    node_labels = node["metadata"].get("labels") or {}
    driver = fleet.driver(name)
    offered = {
        resource: int(count)
        for resource, count in (node["status"].get("allocatable") or {}).items()
        if resource.startswith("nvidia.com/") and count != "0"
    }
    return SimulatedNode(
        name=name,
        gpu=driver.gpus[0].model.name,
        gpus=tuple(dict(sorted(gpu.counts().items())) if gpu.mode else None for gpu in driver.gpus),
        config=node_labels.get(labels.CONFIG),
        state=node_labels.get(labels.STATE),
        allocatable=offered,
        faults=tuple(sorted(map(str, fleet.faults(name)))),
    )


def _print(nodes: Iterable[SimulatedNode]) -> None:
    table = tables.bare("node", "GPUs", "config", "state", "allocatable", "faults")
    for node in nodes:
        offered = ", ".join(
            f"{count}x {resource.removeprefix(labels.RESOURCE_PREFIX).removeprefix('nvidia.com/')}"
            for resource, count in sorted(node.allocatable.items())
        )
        table.add_row(
            node.name,
            f"{len(node.gpus)}x {node.gpu}",
            node.config,
            node.state,
            offered,
            ", ".join(node.faults),
        )
    tables.show(table, tables.plain_console())
