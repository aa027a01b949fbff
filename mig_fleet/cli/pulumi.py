"""The work of `mig-fleet pulumi …`: Pulumi with the project's own backend, apart from the user's installation."""

import os
import subprocess
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console

from mig_fleet import toolchain
from mig_fleet.cli.progress import progress_on

OPTIONS = ("-s", "--stack", "--dest", "--copy-config-from")
"""Options of Pulumi with the name of a stack."""
NAMED_BY_ARGUMENT = ("init", "select", "rm", "rename")
"""Commands of `pulumi stack` with the name of a stack as an argument."""


def run(arguments: Sequence[str]) -> NoReturn:
    """Replace this process by Pulumi; raises ``click.ClickException``."""
    try:
        workspace = toolchain.workspace(Path.cwd(), progress=progress_on(Console(stderr=True)))
    except toolchain.ToolchainError as exc:
        raise click.ClickException(str(exc)) from None
    command = str(workspace.pulumi)
    stacks = named_stacks(arguments) or {_selected(workspace)}
    stack = next(iter(stacks - {toolchain.SIMULATED_STACK}), toolchain.SIMULATED_STACK)
    os.execve(command, [command, *arguments], workspace.environment(stack=stack))


def named_stacks(arguments: Sequence[str]) -> set[str]:
    """Every stack that the arguments of Pulumi name, and an empty name where Pulumi asks for one."""
    found = {after for option, after in pairwise(arguments) if option in OPTIONS}
    for option in OPTIONS:
        joined = f"{option}=" if option.startswith("--") else option
        found |= {each.removeprefix(joined).removeprefix("=") for each in arguments if each.startswith(joined)} - {""}
    words = [each for each in arguments if not each.startswith("-")]
    if words[:1] == ["stack"] and words[1:2] and words[1] in NAMED_BY_ARGUMENT:
        found |= set(words[2:] or [""])
    return found


def _selected(workspace: toolchain.Workspace) -> str:
    """The stack that Pulumi uses without an option; empty if none is selected."""
    done = subprocess.run(
        [workspace.pulumi, "stack", "--show-name", "--non-interactive"],
        env=workspace.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else ""
