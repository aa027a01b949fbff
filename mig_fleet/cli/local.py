"""The work of `mig-fleet local`: deploys the stack `local` to a simulated fleet, and removes both."""

import contextlib
import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from mig_fleet import toolchain
from mig_fleet.cli import plan_text, status, tables
from mig_fleet.cli.progress import progress_on
from mig_fleet.cli.simulate import errors_as_sentences, refuse_unsafe_folder
from mig_fleet.simulator import Fleet
from mig_fleet.stack_file import fleet as fleets
from mig_fleet.toolchain.workspace import FOLDER

STACK = toolchain.SIMULATED_STACK
AUTHORITY = Path("pki") / "ca.crt"
"""Identifies a simulated fleet: each new fleet has its own certificate authority."""
FLEET_RUNS = (
    "The simulated fleet runs: `make up` goes on from here, `.venv/bin/mig-fleet simulate down` stops the fleet."
)
NEXT = """
Try next:
  make preview                                       no changes: the fleet is as declared
  .venv/bin/mig-fleet simulate destroy-slice gpu-node-1 --gpu 0 --start 3
  make preview                                       shows the drift; `make up` repairs it
  .venv/bin/mig-fleet simulate prometheus            a real Prometheus with the stack's rules and alerts
  edit a layout in stacks/Pulumi.local.yaml          then `make preview`, `make up`
  make down                                          removes everything
"""


def up() -> None:
    """Install the tools, start the fleet and run `pulumi up`."""
    _show_plan()
    workspace = _ready()
    _pulumi(workspace, ["up", "--stack", STACK, "--yes", "--skip-preview"])
    status.show(workspace, STACK, tables.plain_console())
    click.echo(NEXT)


def preview(expect_no_changes: bool) -> None:
    """Run `pulumi preview`; exits with Pulumi's code if something would change and must not."""
    flags = ["--expect-no-changes"] if expect_no_changes else []
    _pulumi(_ready(), ["preview", "--stack", STACK, "--diff", "--policy-pack", "policy", *flags])


def down() -> None:
    """Destroy the stack's resources and stop the simulated fleet."""
    _require_project_folder()
    fleet = _fleet()
    if fleet.is_running:
        workspace = _tools()
        _pulumi(workspace, ["stack", "select", STACK, "--create"], quiet=True)
        _pulumi(
            workspace,
            ["destroy", "--stack", STACK, "--yes", "--skip-preview"],
            on_failure="The fleet still runs; `.venv/bin/mig-fleet simulate down` removes it without the stack.",
        )
        _pulumi(workspace, ["stack", "rm", STACK, "--yes", "--preserve-config"], quiet=True)
        fleet.down()
        click.echo("The simulated fleet is stopped and the stack is removed.")
    else:
        fleet.down()
        click.echo("No simulated fleet is running. The next `make up` removes the state of an earlier fleet.")


def _ready() -> toolchain.Workspace:
    """Installs the tools, starts the fleet, and makes sure that the stack's state belongs to this fleet.

    The fleet starts while the provider, which only Pulumi needs, is downloaded or built.
    """
    _require_project_folder()
    fleet, provider = _fleet(), toolchain.family("provider")
    with errors_as_sentences():
        others = [family for family in toolchain.default() if family != provider]
        found = toolchain.ensure(others, progress=progress_on(Console(stderr=True)))
        with toolchain.in_background([provider]):
            binaries = toolchain.link_control_plane(Path.cwd(), found)
            fleet.up(binaries, progress=lambda step: click.echo(f"Starting the simulated fleet: {step} ..."))
            workspace = _tools(on_failure=FLEET_RUNS)
    _pulumi(workspace, ["stack", "select", STACK, "--create"], quiet=True)
    recorded, this = workspace.state / "fleet", hashlib.sha256((fleet.directory / AUTHORITY).read_bytes()).hexdigest()
    if not recorded.exists() or recorded.read_text() != this:  # the resources of an earlier fleet no longer exist
        _pulumi(workspace, ["stack", "rm", STACK, "--yes", "--force", "--preserve-config"], quiet=True)
        _pulumi(workspace, ["stack", "select", STACK, "--create"], quiet=True)
        recorded.write_text(this)
    return workspace


def _require_project_folder() -> None:
    """Raises ``click.ClickException`` outside the project's folder, which has the program and the stack."""
    if not Path("Pulumi.yaml").is_file() or not Path("stacks", f"Pulumi.{STACK}.yaml").is_file():
        raise click.ClickException("run this command in the project's folder, which has Pulumi.yaml and stacks/")


def _show_plan() -> None:
    console = tables.plain_console()
    try:
        plan_text.show(fleets.from_file(Path("stacks") / f"Pulumi.{STACK}.yaml"), console)
    except (OSError, ValueError) as exc:
        raise click.ClickException(str(exc)) from None


def _tools(on_failure: str = "") -> toolchain.Workspace:
    """Raises ``click.ClickException`` with ``on_failure`` as its last line."""
    try:
        return toolchain.workspace(Path.cwd(), progress=progress_on(Console(stderr=True)))
    except toolchain.ToolchainError as exc:
        raise click.ClickException(f"{exc}\n{on_failure}".rstrip()) from None
    except KeyboardInterrupt:
        click.echo(on_failure, err=True)
        raise


def _fleet() -> Fleet:
    """Raises ``click.ClickException`` for a folder that another user may have filled."""
    directory = Path(FOLDER, "fleet").absolute()
    with errors_as_sentences():
        refuse_unsafe_folder(directory)
    return Fleet(directory)


def _pulumi(
    workspace: toolchain.Workspace, arguments: Sequence[str], quiet: bool = False, on_failure: str = ""
) -> None:
    """Runs Pulumi. If it fails, prints ``on_failure`` after Pulumi's own output and exits with its status."""
    process = subprocess.Popen(
        [workspace.pulumi, *arguments],
        env=workspace.environment(),
        stdin=subprocess.DEVNULL if quiet else None,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        text=True,
    )
    output = ""
    while process.returncode is None:
        # Ctrl-C also reaches Pulumi, which then ends its update properly; a killed Pulumi would leave the stack locked.
        with contextlib.suppress(KeyboardInterrupt):
            output = process.communicate()[0] or ""
    if process.returncode:
        click.echo(output + on_failure, err=True)
        sys.exit(process.returncode)
