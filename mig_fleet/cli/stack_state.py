"""What Pulumi's state has about each node: the slices that were verified last, or that none were.

The stack's outputs are those of the last update that reached its end; the state of a wave's resources is that of the
last update that changed the wave.
"""

import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import click

from mig_fleet import toolchain
from mig_fleet.model.reported_slices import by_node
from mig_fleet.model.resource_types import ASSIGNMENTS, VERIFICATIONS, WAVES
from mig_fleet.model.wave_nodes import node_names

STACK = "pulumi:pulumi:Stack"
NOT_VERIFIED = "not verified: the last update did not get that far"
NOT_DEPLOYED = "not reconfigured yet"


@dataclass(frozen=True)
class DeployedNode:
    """One node of a wave."""

    pool: str
    config: str
    """The config that the last update gave it, or tried to."""
    slices: str = ""
    """As :func:`~mig_fleet.model.formatting.format_gpus` writes them; empty if not verified with ``config``."""
    note: str = ""
    """Why there are no slices."""


def read_stack(workspace: toolchain.Workspace, stack: str, remedy: str, *arguments: str) -> dict[str, Any]:
    """What ``pulumi stack ARGUMENTS`` prints as JSON; raises ``click.ClickException`` if there is no such stack."""
    done = subprocess.run(
        [workspace.pulumi, "stack", *arguments, "--stack", stack],
        env=workspace.environment(stack=stack),
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        why = f"stack '{stack}' has no state in {workspace.state}, the only backend that this command reads"
        raise click.ClickException(f"{why}: {done.stderr.strip()}\n{remedy}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def resources(workspace: toolchain.Workspace, stack: str, remedy: str) -> list[dict[str, Any]]:
    """The stack's resources; raises ``click.ClickException`` if the backend has no such stack, or nothing in it."""
    exported = read_stack(workspace, stack, remedy, "export")
    found: list[dict[str, Any]] = (exported.get("deployment") or {}).get("resources") or []
    if not any(each["type"] in WAVES for each in found):
        raise click.ClickException(f"stack '{stack}' has not been deployed in {workspace.state}\n{remedy}")
    return found


def stack_outputs(found: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The outputs of the last update that reached its end; empty if none did."""
    return next((dict(each.get("outputs") or {}) for each in found if each["type"] == STACK), {})


def deployed_nodes(found: Iterable[Mapping[str, Any]]) -> dict[str, DeployedNode]:
    """By node. An assignment that is newer than its verification has not been verified."""
    found = list(found)
    nodes: dict[str, DeployedNode] = {}
    for each in (it for it in found if it["type"] in VERIFICATIONS):
        outputs = each.get("outputs") or {}
        for name, text in by_node(outputs).items():
            nodes[name] = DeployedNode(_pool(each), outputs["expected"]["config"], text)
    for each in (it for it in found if it["type"] in ASSIGNMENTS):
        outputs = each.get("outputs") or {}
        config, waits = outputs["expected"]["config"], outputs.get("held")
        for name in node_names(outputs):
            if name not in nodes or (nodes[name].config != config and not waits):
                nodes[name] = DeployedNode(_pool(each), config, note=NOT_DEPLOYED if waits else NOT_VERIFIED)
    return dict(sorted(nodes.items()))


def _pool(resource: Mapping[str, Any]) -> str:
    """The name of the component that is the resource's parent: the last part of its URN."""
    return str(resource.get("parent", "")).rpartition("::")[2]
