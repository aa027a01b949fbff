"""The work of `mig-fleet simulate prometheus`: a real Prometheus beside a simulated fleet."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click
from rich.console import Console

from mig_fleet import toolchain
from mig_fleet.cli import stack_files
from mig_fleet.cli.monitoring_files import rules
from mig_fleet.cli.progress import progress_on
from mig_fleet.monitoring import kube_state_metrics, series
from mig_fleet.simulator.prometheus import Settings, start

_DECLARED: Final = f"sum by (node, profile) ({series.DECLARED})"
_REPORTED: Final = f"sum by (node, profile) ({series.REPORTED})"
QUERIES: Final = {
    f'{series.ACTIVITY}{{pod!=""}}': "how busy each slice is that has a pod",
    f"sum by (pool, part) ({series.COST})": "USD per hour for what is used, idle, unallocated, stranded and unobserved",
    f"{_DECLARED} - ({_REPORTED} or 0 * {_DECLARED}) > 0": "declared slices that are missing",
}
"""Worth trying → what it shows."""


def run(directory: Path, files: tuple[Path, ...]) -> None:
    """Start Prometheus with these rule files, by default with the rules of stack ``local``, and print its URL."""
    for file in files:
        if not file.is_file():
            raise click.ClickException(
                f"{file} is not a file; `mig-fleet monitoring --stack NAME --out FOLDER` writes FOLDER/rules.yaml"
            )
    family = toolchain.family("prometheus")
    program = toolchain.ensure([family], progress=progress_on(Console(stderr=True))).path("prometheus")
    labels, annotations = (flag.partition("=")[2] for flag in kube_state_metrics.flags())
    settings = Settings(str(program), label_allowlist=labels, annotation_allowlist=annotations)
    with TemporaryDirectory(prefix="mig-fleet-") as temporary:
        url = start(directory, settings, files or (_of_stack_local(Path(temporary)),))
    click.echo(f"Prometheus scrapes the fleet every {settings.interval_s} s: {url}\n")
    click.echo("Try these queries:")
    for query, meaning in QUERIES.items():
        click.echo(f"  {query}\n      {meaning}")
    click.echo(f"\nAlerts: {url}/alerts. `mig-fleet simulate down` also ends Prometheus.")


def _of_stack_local(folder: Path) -> Path:
    """A rule file with the rules of stack ``local``."""
    file = folder / "rules.yaml"
    file.write_text(rules(stack_files.read(stack_files.path_of(toolchain.SIMULATED_STACK))))
    return file
