"""`mig-fleet report`: shows the slices that NVML counted on each node when its wave was last verified."""

import json
import subprocess
from itertools import zip_longest
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from mig_fleet import toolchain
from mig_fleet.cli import tables
from mig_fleet.cli.progress import progress_on
from mig_fleet.model.formatting import parse_gpus


@click.command()
@click.option(
    "--stack",
    default="local",
    show_default=True,
    help="A stack in the project's own file backend, the one that `mig-fleet pulumi` uses.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the stack's outputs as JSON.")
def report(stack: str, as_json: bool) -> None:
    """Show the layout of each node, and the slices that NVML counted.

    NVML counted them when the wave of the node was last verified. The data comes from the stack's outputs, not from the
    nodes, and a failed update does not change the outputs. To compare the stack with the current state of the nodes,
    run `mig-fleet pulumi preview --stack STACK`.
    """
    try:
        workspace = toolchain.workspace(Path.cwd(), progress=progress_on(Console(stderr=True)))
    except toolchain.ToolchainError as exc:
        raise click.ClickException(str(exc)) from None
    if as_json:
        click.echo(json.dumps(outputs(workspace, stack), indent=2, sort_keys=True))
    else:
        show(workspace, stack, Console(highlight=False))


def show(workspace: toolchain.Workspace, stack: str, console: Console) -> None:
    """Prints the table, the capacity and the cost."""
    found = outputs(workspace, stack)
    title = f"Stack {stack}, as NVML counted it when each wave was last verified"
    table = tables.ruled("node", "pool, config", "GPUs", "slices on each", title=title)
    pools = {node: (pool, parse_gpus(text)) for pool, nodes in found["slices"].items() for node, text in nodes.items()}
    for node, (pool, gpus) in sorted(pools.items()):
        # One row per line, so that GPUs and slices stay side by side if a cell is folded.
        lines = zip_longest((node,), (pool, found["configs"][pool]), gpus, gpus.values(), fillvalue="")
        for line in lines:
            table.add_row(*line)
    tables.show(table, console)
    console.print(
        "Capacity: " + ", ".join(f"{int(n)} {name}" for name, n in sorted(found["capacity"].items())), soft_wrap=True
    )
    if found.get("cost"):
        console.print(f"Cost: ${found['cost']['perHourUsd']:.2f} per hour")


def outputs(workspace: toolchain.Workspace, stack: str) -> dict[str, Any]:
    """The stack's outputs; raises ``click.ClickException`` if there are none."""
    done = subprocess.run(
        [workspace.pulumi, "stack", "output", "--json", "--stack", stack],
        env=workspace.environment(),
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        why = f"stack '{stack}' has no outputs in {workspace.state}, the only backend that this command reads"
        raise click.ClickException(f"{why}: {done.stderr.strip()}\n{_remedy(stack)}")
    found: dict[str, Any] = json.loads(done.stdout)
    if "slices" not in found:
        raise click.ClickException(f"stack '{stack}' has not been deployed in {workspace.state}\n{_remedy(stack)}")
    return found


def _remedy(stack: str) -> str:
    if stack == "local":
        return "run `make up` first"
    return (
        f"`make up` only deploys stack local; deploy '{stack}' there with `mig-fleet pulumi stack select {stack} "
        f"--create` and `mig-fleet pulumi up`, or read it from its own backend: `pulumi stack output --stack {stack}`"
    )
