"""The work of `mig-fleet import`: writes a stack file from existing layouts and nodes."""

import os
import sys
from typing import TYPE_CHECKING

import click

from mig_fleet.cli import sources
from mig_fleet.cli.exit_codes import ExitCode
from mig_fleet.documents import DocumentError, parse
from mig_fleet.foreign_text import printable
from mig_fleet.model import gpus
from mig_fleet.model.errors import MigError
from mig_fleet.model.imports import (
    Imported,
    ImportedCluster,
    ImportedPool,
    Note,
    Notes,
    import_nodes,
    import_parted,
    models_by_config,
    stack_file,
)
from mig_fleet.model.layouts import Layout
from mig_fleet.model.short_repr import format_value
from mig_fleet.model.strategy import Strategy
from mig_fleet.stack_file import fleet
from mig_fleet.stack_file.json_schema import modeline
from mig_fleet.stack_file.problems import InvalidSettings

if TYPE_CHECKING:
    from mig_fleet.cluster.connection import Connection

LONGEST_NOTE = 1000
"""Characters of a note."""

ASKED = {
    "pools": "no source has nodes that can be carried over; add mig-fleet:pools",
    "cluster": "no source names the cluster; add mig-fleet:cluster: {context: NAME}",
}
"""Sections without which no stack file works: what to do if no source has them."""


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
            sources.read(file, found)
        if cluster:
            where = _read_cluster(_connect(kubeconfig, context), kubeconfig, namespace, found)
    except (MigError, DocumentError) as exc:
        raise click.UsageError(str(exc)) from None
    models = models_by_config(found.nodes, model)
    parts = [import_parted(file, model, gpus_per_node, models, nodes=found.nodes) for file in found.files]
    parts += [
        import_parted(file, model, gpus_per_node, models, used_only=True, nodes=found.nodes)
        for file in found.cluster_files
    ]
    known = _merge(parts, found.notes)
    pools, known = import_nodes(found.nodes, known, model, gpus_per_node)
    notes = _with_what_is_to_complete(known, pools, where, found.strategy) if known.layouts else known.notes
    for note in notes:
        click.echo(f"{note.outcome}: {printable(str(note), LONGEST_NOTE)}", err=True)
    if not known.layouts:
        click.echo("there is nothing to import", err=True)
        sys.exit(ExitCode.FAILURE)
    click.echo(modeline() + stack_file(known.layouts, pools, notes, where, found.strategy), nl=False)


def _with_what_is_to_complete(
    known: Imported, pools: tuple[ImportedPool, ...], where: ImportedCluster | None, strategy: Strategy
) -> tuple[Note, ...]:
    """All notes: `mig-fleet check` accepts the stack file, or a note asks for what it lacks."""
    notes = Notes(known.notes)
    try:
        fleet.from_document(parse("stack file", stack_file(known.layouts, pools, (), where, strategy).encode()))
    except InvalidSettings as exc:
        for problem in exc.problems:
            notes.to_complete(ASKED.get(problem.path) or str(problem))
    return tuple(notes)


def _merge(parts: list[Imported], found: Notes) -> Imported:
    """Merges the layouts of several files. If two layouts have the same name and differ, the first is kept."""
    layouts: dict[str, Layout] = {}
    configs: dict[tuple[str, str], Layout] = {}
    notes = Notes(found)
    for part in parts:
        notes.extend(part.notes)
        own: dict[str, str] = {}
        for key, layout in part.configs.items():
            if layouts.setdefault(layout.name, layout) == layout:
                configs[key] = layout
                own.setdefault(layout.name, key[0])
            elif layout.name in own:
                first = f"config {format_value(own[layout.name])} of the same file"
                notes.left_out(f"{first} differs and has the layout name {layout.name}", config=key[0])
            else:
                notes.left_out(f"an earlier source defines {layout.name} differently", config=key[0])
    defined = frozenset[str]().union(*(part.defined for part in parts))
    return Imported(tuple(layouts.values()), configs, defined, tuple(notes))


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
    for note in live.notes:
        found.notes.to_complete(note)
    return imported_cluster(live, connection.context, kubeconfig)
