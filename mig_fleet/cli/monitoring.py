"""The work of `mig-fleet monitoring`: what to set beside the Pulumi program, the alerts, and everything as files."""

import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
from pydantic.alias_generators import to_camel, to_pascal
from rich.table import Table

from mig_fleet.cli import stack_files, tables
from mig_fleet.cli.exit_codes import ExitCode
from mig_fleet.cli.monitoring_files import files, kube_prometheus_stack_values, operator_values
from mig_fleet.cli.outputs import monitoring as output
from mig_fleet.cli.outputs.base import print_json
from mig_fleet.cli.written_folder import ForeignFiles, write
from mig_fleet.documents import dump_blocks
from mig_fleet.foreign_text import printable
from mig_fleet.monitoring import kube_state_metrics
from mig_fleet.monitoring.alerts.durations import duration
from mig_fleet.monitoring.alerts.thresholds import Threshold, Thresholds
from mig_fleet.stack_file.fleet import Fleet
from mig_fleet.stack_file.thresholds import thresholds


def run(path: Path, folder: Path | None, as_json: bool) -> None:
    """Print what a stack file's monitoring needs, and write its files to ``folder``."""
    fleet = stack_files.read(path)
    generated = files(fleet) if folder is not None or as_json else {}
    if folder is not None:
        _write(folder, generated)
    if as_json:
        print_json(to_json(fleet, generated, folder))
        return
    for line in _lines(fleet):
        click.echo(line)
    tables.show(_table(thresholds(fleet.settings)), tables.plain_console())
    if folder is not None:
        click.echo(f"Wrote {len(generated)} files to {printable(folder)}.")


def _write(folder: Path, generated: dict[str, str]) -> None:
    try:
        write(folder, generated)
    except ForeignFiles as exc:
        click.echo(f"{printable(exc)}\nRemove them, or name another folder: --out FOLDER", err=True)
        sys.exit(ExitCode.FAILURE)
    except OSError as exc:
        click.echo(f"cannot write to {printable(exc.filename or folder)}: {exc.strerror}", err=True)
        sys.exit(ExitCode.FAILURE)


def to_json(fleet: Fleet, generated: dict[str, str], folder: Path | None) -> output.Monitoring:
    declared = thresholds(fleet.settings)
    return output.Monitoring(
        kube_state_metrics_flags=kube_state_metrics.flags(),
        alerts=tuple(
            output.Alert(
                name=name,
                severity=str(threshold.severity),
                for_seconds=threshold.wait,
                settings=dict(_settings(threshold)),
            )
            for name, threshold in _alerts(declared)
            if threshold
        ),
        off=tuple(name for name, threshold in _alerts(declared) if threshold is None),
        files=generated,
        written=str(folder) if folder is not None else None,
    )


def _lines(fleet: Fleet) -> Iterator[str]:
    settings = fleet.settings
    yield "# kube-state-metrics must export these labels and annotations of nodes. By default it exports none."
    yield "# Values of kube-prometheus-stack:"
    yield dump_blocks(kube_prometheus_stack_values(fleet))
    yield "# Values of the chart kube-state-metrics:"
    yield dump_blocks(kube_state_metrics.chart_values())
    yield "# Without Helm:"
    yield from kube_state_metrics.flags()
    yield ""
    if not settings.operator.managed:
        yield "# Values of the GPU Operator:"
        yield dump_blocks(operator_values(fleet))
    elif not settings.monitoring.service_monitor:
        yield "# The stack does not make Prometheus read dcgm-exporter: set monitoring.serviceMonitor to true if the"
        yield "# cluster has the Prometheus Operator, or use scrape-config.yaml of --out."
        yield ""
    if settings.monitoring.rules == "prometheusRule" and not settings.monitoring.monitor_labels:
        yield "# kube-prometheus-stack selects only objects with the label `release: <its Helm release>`:"
        yield "# set monitoring.monitorLabels."
        yield ""


def _table(declared: Thresholds) -> Table:
    table = tables.ruled("alert", "severity", "for", "settings")
    for name, threshold in _alerts(declared):
        if threshold is None:
            table.add_row(name, "off", "", "")
            continue
        shown = (
            f"{key} {_format(key, value)}" for key, value in _settings(threshold) if value or isinstance(value, float)
        )
        table.add_row(name, str(threshold.severity), duration(threshold.wait), ", ".join(shown))
    return table


def _alerts(declared: Thresholds) -> Iterator[tuple[str, Threshold | None]]:
    """The name of each alert, and None for one that is off."""
    for field in fields(Thresholds):
        yield f"MIG{to_pascal(field.name)}", getattr(declared, field.name)


def _settings(threshold: Threshold) -> Iterator[tuple[str, float | list[str]]]:
    """The settings of an alert beside severity and wait, by their names in a stack file."""
    for field in fields(threshold):
        if field.name not in ("severity", "wait"):
            value = getattr(threshold, field.name)
            yield to_camel(field.name), list(value) if isinstance(value, tuple) else value


def _format(key: str, value: float | list[str]) -> str:
    if isinstance(value, list):
        return " ".join(value)
    return duration(int(value)) if key == "window" else f"{value:g}"
