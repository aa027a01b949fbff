"""`mig-fleet report`: what was counted on each node when its wave was last verified."""

import json
import subprocess
from itertools import zip_longest
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from mig_fleet import toolchain
from mig_fleet.cli import tables
from mig_fleet.cli.building import shown_on
from mig_fleet.model.wording import cuts_by_gpus


@click.command()
@click.option(
    "--stack",
    default="local",
    show_default=True,
    help="A stack of the project's own file backend, which `mig-fleet pulumi` works on; no other backend is asked.",
)
@click.option("--json", "as_json", is_flag=True, help="The stack's outputs as JSON.")
def report(stack: str, as_json: bool) -> None:
    """Show each node's layout and the slices that NVML counted when its wave was last verified.

    It is read from the stack's outputs; no node is asked. An update that fails leaves them as they were;
    `mig-fleet pulumi preview --stack STACK` compares with the nodes as they are.
    """
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
    title = f"Stack {stack}, as NVML counted it when each wave was last verified"
    table = tables.ruled("node", "pool, config", "GPUs", "slices on each", title=title)
    pools = {
        node: (pool, cuts_by_gpus(text)) for pool, nodes in found["realized"].items() for node, text in nodes.items()
    }
    for node, (pool, gpus) in sorted(pools.items()):
        # Line by line, so that GPUs and slices stay side by side where a cell is folded.
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
    """The stack's outputs; raises ``click.ClickException`` where there are none."""
    done = subprocess.run(
        [workspace.pulumi, "stack", "output", "--json", "--stack", stack],
        env=workspace.environment(),
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        why = f"stack '{stack}' has no outputs in {workspace.state}, the only backend that is asked"
        raise click.ClickException(f"{why}: {done.stderr.strip()}\n{_remedy(stack)}")
    found: dict[str, Any] = json.loads(done.stdout)
    if "realized" not in found:
        raise click.ClickException(f"stack '{stack}' has not been deployed in {workspace.state}\n{_remedy(stack)}")
    return found


def _remedy(stack: str) -> str:
    if stack == "local":
        return "run `make up` first"
    return (
        f"`make up` deploys stack local alone; deploy '{stack}' there with `mig-fleet pulumi stack select {stack} "
        f"--create` and `mig-fleet pulumi up`, or ask the backend that holds it: `pulumi stack output --stack {stack}`"
    )
