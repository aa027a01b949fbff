"""Options that several commands have, with the same names and help."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


FOLDER = Path("stacks")
"""The stack files of the project in this folder."""


def stack_names() -> list[str]:
    """The stacks of the project in this folder."""
    return sorted(path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in FOLDER.glob("Pulumi.*.yaml"))


def stack_option(help_text: str) -> Callable[[F], F]:
    """``stack``, whose names a shell completes."""
    return click.option(
        "--stack",
        default="local",
        show_default=True,
        help=help_text,
        shell_complete=lambda _ctx, _param, start: [name for name in stack_names() if name.startswith(start)],
    )


def stack_file_options(command: F) -> F:
    """``stack`` and ``path``, the two ways to name a stack file; :mod:`mig_fleet.cli.stack_files` reads it."""
    by_path = click.option(
        "--file", "path", type=click.Path(path_type=Path, dir_okay=False), help="Read this stack file instead."
    )
    by_name = stack_option("The environment; reads stacks/Pulumi.STACK.yaml.")
    return by_name(by_path(command))


def json_option(help_text: str = "Print JSON.") -> Callable[[F], F]:
    """``as_json``; `docs/json` has the schemas."""
    return click.option("--json", "as_json", is_flag=True, help=help_text)
