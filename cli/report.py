"""`mig-fleet report`: what the last update read back, node by node."""

import json
import subprocess
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

import toolchain
from cli.building import shown_on


@click.command()
@click.option("--stack", default="local", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The stack's outputs as JSON.")
def report(stack: str, as_json: bool) -> None:
    """Show each node's layout and the slices that NVML counted when the last update verified it."""
    try:
        workspace = toolchain.workspace(Path.cwd(), progress=shown_on(Console(stderr=True)))
    except toolchain.ToolchainError as exc:
        raise click.ClickException(str(exc)) from None
    if as_json:
        click.echo(json.dumps(outputs(workspace, stack), indent=2, sort_keys=True))
    else:
        show(workspace, stack, Console(highlight=False))


def show(workspace: toolchain.Workspace, stack: str, console: Console) -> None:
    """The table, then capacity and cost."""
    found = outputs(workspace, stack)
    table = Table(box=box.SIMPLE_HEAD, title=f"Stack {stack}, as NVML counted it", title_justify="left")
    for heading in ("node", "pool, config", "GPUs", "slices on each"):
        table.add_column(heading, overflow="fold")
    pools = {node: (pool, gpus) for pool, nodes in found["realized"].items() for node, gpus in nodes.items()}
    for node, (pool, gpus) in sorted(pools.items()):
        table.add_row(node, f"{pool}\n{found['configs'][pool]}", "\n".join(gpus), "\n".join(gpus.values()))
    console.print(table)
    console.print(
        "Capacity: " + ", ".join(f"{int(n)} {name}" for name, n in sorted(found["capacity"].items())), soft_wrap=True
    )
    if found.get("cost"):
        console.print(f"Cost: ${found['cost']['perHourUsd']:.2f} per hour")


def outputs(workspace: toolchain.Workspace, stack: str) -> dict[str, Any]:
    """The stack's outputs; raises ``click.ClickException`` where there are none."""
    done = subprocess.run(
        [workspace.pulumi, "stack", "output", "--json", "--stack", stack],
        env=workspace.environment(),
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise click.ClickException(f"stack '{stack}' has no outputs: {done.stderr.strip()}")
    found: dict[str, Any] = json.loads(done.stdout)
    if "realized" not in found:
        raise click.ClickException(f"stack '{stack}' has not been deployed; run `make up` first")
    return found
