"""`mig-fleet simulate`"""

from pathlib import Path
from typing import Any, Final

import click

from mig_fleet.cli.options import json_option

DEFAULT_DIRECTORY: Final = Path(".mig-fleet") / "fleet"


class _Command(click.Command):
    """Prints an error of the simulator or the toolchain as one sentence, without a traceback. Refuses a folder that
    another user may have filled.
    """

    def invoke(self, ctx: click.Context) -> Any:
        from mig_fleet.cli.simulate import errors_as_sentences, refuse_unsafe_folder

        with errors_as_sentences():
            refuse_unsafe_folder(ctx.obj)
            return super().invoke(ctx)


class _Commands(click.Group):
    command_class = _Command


def _fault(name: str) -> str:
    """The faults are imported only when a name is read or completed."""
    from mig_fleet.simulator.faults import Fault

    return click.Choice([str(each) for each in Fault]).convert(name, None, None)


def _complete_fault(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    from mig_fleet.simulator.faults import Fault

    return [str(each) for each in Fault if each.startswith(incomplete)]


@click.group(cls=_Commands)
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_DIRECTORY,
    show_default=True,
    help="The folder of the fleet: kubeconfig, logs, data.",
)
@click.pass_context
def simulate(ctx: click.Context, directory: Path) -> None:
    """Run a simulated fleet, and inject faults into it.

    The fleet is a real control plane on loopback with simulated GPU nodes. It needs the extra `mig-fleet[simulator]`.
    """
    ctx.obj = directory.absolute()


@simulate.command()
@click.option("--fleet", "fleet_file", type=click.Path(path_type=Path, dir_okay=False), help="A YAML file of nodes.")
@click.option("--genuine", is_flag=True, help="Run NVIDIA's own MIG Manager on each node, built on first use.")
@click.pass_obj
def up(directory: Path, fleet_file: Path | None, genuine: bool) -> None:
    """Start the fleet and wait until it is ready.

    The fleet runs in the background. If it is already running, the command changes nothing.

    Without --fleet: three nodes with eight H100-80GB and one with four A100-80GB. A fleet whose process was killed is
    resumed with all objects of its cluster, and with NVIDIA's own MIG Manager if it had it.
    """
    from mig_fleet.cli import simulate as work

    work.up(directory, fleet_file, genuine=genuine)


@simulate.command()
@click.pass_obj
def down(directory: Path) -> None:
    """Stop the fleet, and delete its cluster."""
    from mig_fleet.cli import simulate as work

    work.down(directory)


@simulate.command()
@json_option()
@click.pass_obj
def status(directory: Path, as_json: bool) -> None:
    """Show the state of the fleet and of its nodes.

    Exit status 0 if the fleet is ready, 3 if it is not.
    """
    from mig_fleet.cli import simulate as work

    work.status(directory, as_json)


@simulate.command()
@click.argument("node")
@click.argument("name", type=_fault, shell_complete=_complete_fault, metavar="FAULT", required=False)
@click.option("--clear", is_flag=True, help="Clear FAULT, or all faults of the node without FAULT.")
@json_option("Print the node's active faults as JSON.")
@click.pass_obj
def fault(directory: Path, node: str, name: str | None, clear: bool, as_json: bool) -> None:
    """Inject FAULT into NODE, or clear it.

    A fault stays active until it is cleared. `mig-fleet simulate faults` lists all faults.
    """
    from mig_fleet.cli import simulate as work

    work.fault(directory, node, name, clear, as_json)


@simulate.command()
@json_option()
def faults(as_json: bool) -> None:
    """List all faults, and what each of them simulates."""
    from mig_fleet.cli import simulate as work

    work.faults(as_json)


@simulate.command()
@click.option(
    "--rules",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    help="A rule file, such as rules.yaml of `mig-fleet monitoring --out`; may be repeated.",
)
@click.pass_obj
def prometheus(directory: Path, rules: tuple[Path, ...]) -> None:
    """Start a real Prometheus that scrapes the fleet, and print its URL.

    It ends with the fleet. If it is already running, it starts again with the rules and keeps its data.

    Without --rules: the rules and alerts of the stack `local` of the project in this folder.
    """
    from mig_fleet.cli import simulate_prometheus as work

    work.run(directory, rules)


@simulate.command("destroy-slice")
@click.argument("node")
@click.option("--gpu", type=int, default=0, show_default=True, help="The GPU's index.")
@click.option("--start", type=int, required=True, help="The first memory slice of the instance.")
@click.pass_obj
def destroy_slice(directory: Path, node: str, gpu: int, start: int) -> None:
    """Destroy one slice, as `nvidia-smi mig -dgi` does."""
    from mig_fleet.cli import simulate as work

    work.destroy_slice(directory, node, gpu, start)
