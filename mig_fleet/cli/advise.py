"""The work of `mig-fleet advise`: reads a stack file and a Prometheus, prints advice, changes nothing."""

import sys
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console

from mig_fleet.advice import stack_text
from mig_fleet.advice.credentials import Access, UnusableAccess, access
from mig_fleet.advice.errors import PrometheusError
from mig_fleet.advice.fleet_advice import advise_fleet, nodes_by_pool
from mig_fleet.advice.layout_advice import LayoutAdvice
from mig_fleet.advice.outcome import ANSWERS
from mig_fleet.advice.prometheus import Prometheus
from mig_fleet.advice.reading import measure, require_rules
from mig_fleet.advice.window import Window
from mig_fleet.cli import advise_json, advise_text, stack_files
from mig_fleet.cli.exit_codes import ExitCode
from mig_fleet.cli.outputs.base import print_json
from mig_fleet.cli.progress import progress_on
from mig_fleet.foreign_text import printable
from mig_fleet.stack_file.fleet import Fleet
from mig_fleet.toolchain import Step


def run(
    path: Path, url: str, token_file: Path | None, ca_file: Path | None, window_text: str, as_json: bool
) -> NoReturn:
    """Print the advice and exit; raises ``click.UsageError`` for arguments that cannot be used."""
    try:
        server, window = access(url, token_file, ca_file), Window.parse(window_text)
    except UnusableAccess as exc:
        raise click.UsageError(str(exc)) from None
    except ValueError as exc:
        raise click.UsageError(f"--window {window_text!r}: {exc}") from None
    declared, content = stack_files.read(path), path.read_bytes()
    reading = Step("Prometheus", "reading", None, ())
    try:
        with progress_on(Console(stderr=True))(reading):
            advice, warnings = _ask(declared, server, window)
    except PrometheusError as exc:
        raise click.ClickException(str(exc)) from None
    text = stack_text.edit(printable(path), content, advice)
    if as_json:
        print_json(advise_json.to_json(str(path), window, advice, text, warnings))
    else:
        for line in advise_text.lines(str(path), window, advice, text, warnings):
            click.echo(line)
    known = any(sizing.outcome in ANSWERS for each in advice for sizing in each.sizings)
    sys.exit(ExitCode.SUCCESS if known else ExitCode.UNKNOWN)


def _ask(declared: Fleet, server: Access, window: Window) -> tuple[tuple[LayoutAdvice, ...], tuple[str, ...]]:
    with Prometheus(server) as source:
        require_rules(source)
        nodes = nodes_by_pool(declared, source)
        measured = measure(source, (name for names in nodes.values() for name in names), window)
        return advise_fleet(declared, nodes, measured, window), tuple(source.warnings)
