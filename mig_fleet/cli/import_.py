"""The work of `mig-fleet import`: writes a stack file from existing layouts and nodes."""

import os
import sys
from typing import TYPE_CHECKING

import click

from mig_fleet.cli import sources
from mig_fleet.cli.exit_codes import ExitCode
from mig_fleet.documents import DocumentError, open_document
from mig_fleet.foreign_text import printable
from mig_fleet.model import gpus
from mig_fleet.model.errors import MigError
from mig_fleet.model.imports import (
    Imported,
    ImportedCluster,
    import_nodes,
    import_parted,
    models_by_config,
    stack_file,
)
from mig_fleet.model.layouts import Layout
from mig_fleet.model.short_repr import format_value

if TYPE_CHECKING:
    from mig_fleet.cluster.connection import Connection

LONGEST_NOTE = 1000
"""Characters of a note about what was not imported."""


def run(
    files: tuple[str, ...],
    cluster: bool,
    context: str | None,
    kubeconfig: str | None,
    namespace: str | None,
    gpu: str | None,
    gpus_per_node: int | None,
) -> None:
    """Print a stack file; exits if there is nothing to import. Raises ``click.ClickException``."""
    if not (files or cluster):
        raise click.UsageError("name a source: a file, or --cluster")
    found = sources.Found()
    where: ImportedCluster | None = None
    try:
        model = gpus.find(gpu) if gpu else None
        for file in files:
            sources.read(open_document(file), found)
        if cluster:
            where = _read_cluster(_connect(kubeconfig, context), kubeconfig, namespace, found)
    except (MigError, DocumentError) as exc:
        raise click.UsageError(str(exc)) from None
    models = models_by_config(found.nodes, model)
    parts = [import_parted(file, model, gpus_per_node, models) for file in found.files]
    parts += [import_parted(file, model, gpus_per_node, models, used_only=True) for file in found.cluster_files]
    known = _merge(parts, found.not_imported)
    pools, known = import_nodes(found.nodes, known, model, gpus_per_node)
    not_imported = known.not_imported if pools else (*known.not_imported, "no source has nodes; add mig-fleet:pools")
    for note in not_imported:
        click.echo(f"not imported, or imported with a change: {printable(note, LONGEST_NOTE)}", err=True)
    if not known.layouts:
        click.echo("there is nothing to import", err=True)
        sys.exit(ExitCode.FAILURE)
    click.echo(stack_file(known.layouts, pools, not_imported, where), nl=False)


def _merge(parts: list[Imported], not_imported: list[str]) -> Imported:
    """Merges the layouts of several files. If two layouts have the same name and differ, the first is kept."""
    layouts: dict[str, Layout] = {}
    configs: dict[tuple[str, str], Layout] = {}
    notes = list(not_imported)
    for part in parts:
        notes += part.not_imported
        own: dict[str, str] = {}
        for key, layout in part.configs.items():
            if layouts.setdefault(layout.name, layout) == layout:
                configs[key] = layout
                own.setdefault(layout.name, key[0])
            elif layout.name in own:
                first = f"config {format_value(own[layout.name])} of the same file"
                notes.append(f"{key[0]}: not imported, because {first} differs and has the layout name {layout.name}")
            else:
                notes.append(f"{key[0]}: not imported, because an earlier source defines {layout.name} differently")
    defined = frozenset[str]().union(*(part.defined for part in parts))
    return Imported(tuple(layouts.values()), configs, defined, tuple(dict.fromkeys(notes)))


def _connect(kubeconfig: str | None, context: str | None) -> "Connection":
    from mig_fleet.cluster.connection import Connection
    from mig_fleet.cluster.errors import ClusterError

    # The client library reads the variable only when it is imported.
    args = {"kubeconfig": kubeconfig or os.environ.get("KUBECONFIG"), "context": context}
    try:
        return Connection({key: value for key, value in args.items() if value})
    except ClusterError as exc:
        raise click.UsageError(str(exc)) from None


def _read_cluster(
    connection: "Connection", kubeconfig: str | None, namespace: str | None, found: sources.Found
) -> ImportedCluster:
    from mig_fleet.cli.bounded_reading import read_within
    from mig_fleet.cli.live_cluster import imported_cluster, read_live
    from mig_fleet.cluster.errors import ClusterError

    try:
        live = read_within(lambda: read_live(connection, namespace))
    except ClusterError as exc:
        raise click.ClickException(str(exc)) from None
    sources.read_cluster(live.nodes, live.config_maps, found, live.reports)
    found.not_imported += live.notes
    return imported_cluster(live, connection.context, kubeconfig)
