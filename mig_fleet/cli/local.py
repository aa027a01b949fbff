"""`mig-fleet local`: the whole product on a simulated fleet, from nothing to verified slices and back."""

import contextlib
import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from mig_fleet import toolchain
from mig_fleet.cli import plan, report
from mig_fleet.cli.building import shown_on
from mig_fleet.simulator import Fleet
from mig_fleet.simulator.errors import SimulatorError
from mig_fleet.stack_file import fleet as fleets

STACK = "local"
AUTHORITY = Path("pki") / "ca.crt"
"""What tells one simulated fleet from the next: each new one has a certificate authority of its own."""
NEXT = """
Try next:
  make preview                                       nothing to do: the fleet is as the stack says
  .venv/bin/mig-fleet fleet destroy-slice gpu-node-1 --gpu 0 --start 3
  make preview                                       shows the drift; `make up` heals it
  edit a layout in stacks/Pulumi.local.yaml          then `make preview`, `make up`
  make down                                          takes everything away again
"""


@click.group()
def local() -> None:
    """Stack `local`: real control plane, simulated GPU nodes, nothing outside this folder is touched."""


@local.command()
def up() -> None:
    """Tools, simulated fleet and a verified `pulumi up`; safe to repeat."""
    _show_plan()
    workspace = _ready()
    _pulumi(workspace, ["up", "--stack", STACK, "--yes", "--skip-preview"])
    report.show(workspace, STACK, Console(highlight=False))
    click.echo(NEXT)


@local.command()
@click.option("--expect-no-changes", is_flag=True, help="Exit 7 when anything would change: the scheduled drift check.")
def preview(expect_no_changes: bool) -> None:
    """What `mig-fleet local up` would change, drift included."""
    flags = ["--expect-no-changes"] if expect_no_changes else []
    _pulumi(_ready(), ["preview", "--stack", STACK, "--diff", "--policy-pack", "policy", *flags])


@local.command()
def down() -> None:
    """Destroy the stack's resources and stop the fleet."""
    _show_the_way()
    fleet = _fleet()
    if fleet.is_running:
        workspace = _tools()
        _pulumi(workspace, ["stack", "select", STACK, "--create"], quiet=True)
        _pulumi(
            workspace,
            ["destroy", "--stack", STACK, "--yes", "--skip-preview"],
            otherwise="The fleet still runs; `.venv/bin/mig-fleet fleet down` throws it away as it is.",
        )
        _pulumi(workspace, ["stack", "rm", STACK, "--yes", "--preserve-config"], quiet=True)
        fleet.down()
        click.echo("The simulated fleet is stopped and the stack is gone.")
    else:
        fleet.down()
        click.echo("No simulated fleet was running; what an earlier one left is forgotten by the next `make up`.")


def _ready() -> toolchain.Workspace:
    """Tools, a running fleet, and a stack whose state is about this very fleet."""
    _show_the_way()
    workspace, fleet = _tools(), _fleet()
    try:
        fleet.up(workspace.bin, say=lambda step: click.echo(f"Starting the simulated fleet: {step} ..."))
    except SimulatorError as exc:
        raise click.ClickException(str(exc)) from None
    _pulumi(workspace, ["stack", "select", STACK, "--create"], quiet=True)
    about, this = workspace.state / "fleet", hashlib.sha256((fleet.directory / AUTHORITY).read_bytes()).hexdigest()
    if not about.exists() or about.read_text() != this:  # whatever an earlier fleet held is gone with it
        _pulumi(workspace, ["stack", "rm", STACK, "--yes", "--force", "--preserve-config"], quiet=True)
        _pulumi(workspace, ["stack", "select", STACK, "--create"], quiet=True)
        about.write_text(this)
    return workspace


def _show_the_way() -> None:
    """The stack is the project's: elsewhere there is nothing to start a fleet for."""
    if not Path("Pulumi.yaml").is_file() or not Path("stacks", f"Pulumi.{STACK}.yaml").is_file():
        raise click.ClickException("run this in the project's folder, where Pulumi.yaml and stacks/ are")


def _show_plan() -> None:
    console = Console(highlight=False)
    try:
        plan.show(fleets.from_file(Path("stacks") / f"Pulumi.{STACK}.yaml"), console)
    except (OSError, ValueError) as exc:
        raise click.ClickException(str(exc)) from None


def _tools() -> toolchain.Workspace:
    try:
        return toolchain.workspace(Path.cwd(), progress=shown_on(Console(stderr=True)))
    except toolchain.ToolchainError as exc:
        raise click.ClickException(str(exc)) from None


def _fleet() -> Fleet:
    return Fleet((Path(".mig-fleet") / "fleet").absolute())


def _pulumi(workspace: toolchain.Workspace, arguments: Sequence[str], quiet: bool = False, otherwise: str = "") -> None:
    """Run Pulumi and end with its exit status if it fails; its own words are the explanation, then ``otherwise``."""
    process = subprocess.Popen(
        [workspace.pulumi, *arguments],
        env=workspace.environment(),
        stdin=subprocess.DEVNULL if quiet else None,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        text=True,
    )
    said = ""
    while process.returncode is None:
        # Ctrl-C reaches Pulumi as well, which ends its update in good order; killing it would leave the stack locked.
        with contextlib.suppress(KeyboardInterrupt):
            said = process.communicate()[0] or ""
    if process.returncode:
        click.echo(said + otherwise, err=True)
        sys.exit(process.returncode)
