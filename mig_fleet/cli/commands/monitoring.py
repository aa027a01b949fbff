"""`mig-fleet monitoring`"""

from pathlib import Path

import click

from mig_fleet.cli.options import json_option, stack_file_options


@click.command()
@stack_file_options
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write rules, dashboards, the list of metrics and Helm values to this folder.",
)
@json_option("Print JSON: the alerts, and the content of each file of --out.")
def monitoring(stack: str, path: Path | None, folder: Path | None, as_json: bool) -> None:
    """Show what Prometheus needs to monitor the slices of a stack, and its alerts.

    Needs no cluster and no other tool. Prints what to set in kube-state-metrics, which by default exports no label of a
    node, and the threshold of each alert. The Pulumi program deploys the rules and dashboards; with --out they are
    plain files for a Prometheus and a Grafana that are configured by files.

    \b
      mig-fleet monitoring --stack prod
      mig-fleet monitoring --stack prod --out monitoring
    """
    from mig_fleet.cli.monitoring import run
    from mig_fleet.cli.stack_files import path_of

    run(path or path_of(stack), folder, as_json)
