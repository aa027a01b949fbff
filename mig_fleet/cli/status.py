"""The work of `mig-fleet status`: the slices of each node as verified last, or with ``--live`` as they are now."""

from collections import Counter
from itertools import zip_longest
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from mig_fleet import toolchain
from mig_fleet.cli import live_status, tables
from mig_fleet.cli.outputs.base import print_json
from mig_fleet.cli.progress import progress_on
from mig_fleet.cli.stack_files import path_of
from mig_fleet.cli.stack_state import (
    NOT_DEPLOYED,
    DeployedNode,
    deployed_nodes,
    read_stack,
    resources,
    stack_outputs,
)
from mig_fleet.documents import DocumentError
from mig_fleet.model.allocated_by import AllocatedBy, allocation_of, offered
from mig_fleet.model.formatting import parse_gpus, parse_per_gpu
from mig_fleet.model.strategy import DEFAULT, Strategy
from mig_fleet.stack_file import fleet as fleets
from mig_fleet.stack_file.problems import InvalidSettings


def run(stack: str, live: bool, as_json: bool) -> None:
    """Print what the stack's state has, or with ``live`` what the nodes have; raises ``click.ClickException``."""
    console = tables.plain_console()
    if live:
        live_status.run(path_of(stack), console, as_json)
        return
    try:
        workspace = toolchain.workspace(Path.cwd(), progress=progress_on(Console(stderr=True)))
    except toolchain.ToolchainError as exc:
        raise click.ClickException(str(exc)) from None
    if as_json:
        print_json(outputs(workspace, stack))
    else:
        show(workspace, stack, console)


def show(workspace: toolchain.Workspace, stack: str, console: Console) -> None:
    """Prints the table, the capacity and the cost."""
    found = resources(workspace, stack, _remedy(stack))
    nodes = _with_declared(deployed_nodes(found), path_of(stack))
    title = f"Stack {stack}, as NVML counted it when each wave was last verified"
    table = tables.ruled("node", "pool, config", "GPUs", "slices on each", title=title)
    for name, node in nodes.items():
        gpus = parse_gpus(node.slices) if node.slices else {"": node.note}
        # One row per line, so that GPUs and slices stay side by side if a cell is folded.
        for line in zip_longest((name,), (node.pool, node.config), gpus, gpus.values(), fillvalue=""):
            table.add_row(*line)
    tables.show(table, console)
    verified = [node for node in nodes.values() if node.slices]
    strategy = Strategy(stack_outputs(found).get("strategy", DEFAULT))
    declared = {name: int(n) for name, n in (stack_outputs(found).get("capacity") or {}).items()}
    real, of = (
        _capacity(verified, strategy, allocation_of(declared)),
        f" of the {len(verified)} verified of {len(nodes)} nodes",
    )
    console.print(f"Capacity{of if len(verified) < len(nodes) else ''}: {_amounts(real)}", soft_wrap=True)
    if declared and declared != real:
        console.print(f"The last complete update declared: {_amounts(declared)}", soft_wrap=True)
    if cost := stack_outputs(found).get("cost"):
        console.print(f"Cost: ${cost['perHourUsd']:.2f} per hour")


def outputs(workspace: toolchain.Workspace, stack: str) -> dict[str, Any]:
    """The stack's outputs; raises ``click.ClickException`` if there are none."""
    found = read_stack(workspace, stack, _remedy(stack), "output", "--json")
    if "slices" not in found:
        raise click.ClickException(f"stack '{stack}' has not been deployed in {workspace.state}\n{_remedy(stack)}")
    return found


def _with_declared(nodes: dict[str, DeployedNode], path: Path) -> dict[str, DeployedNode]:
    """And the nodes that the stack file lists and no update has reached. A file with mistakes adds none."""
    try:
        pools = fleets.from_file(path).pools
    except (OSError, InvalidSettings, DocumentError):
        return nodes
    missing = {
        name: DeployedNode(pool.name, pool.layout.config_name, note=NOT_DEPLOYED)
        for pool in pools
        for name in pool.nodes
        if name not in nodes
    }
    return dict(sorted({**nodes, **missing}.items()))


def _capacity(nodes: list[DeployedNode], strategy: Strategy, allocation: AllocatedBy) -> dict[str, int]:
    """What the slices that NVML counted add up to, as pods ask for them; a node without a report adds nothing."""
    total: Counter[str] = Counter()
    for node in nodes:
        total.update(offered(allocation, strategy, parse_per_gpu(node.slices)))
    return dict(sorted(total.items()))


def _amounts(found: dict[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in sorted(found.items())) or "none"


def _remedy(stack: str) -> str:
    if stack == "local":
        return "run `make up` first"
    return (
        f"`make up` only deploys stack local; deploy '{stack}' there with `mig-fleet pulumi stack select {stack} "
        f"--create` and `mig-fleet pulumi up`, or read it from its own backend: `pulumi stack output --stack {stack}`"
    )
