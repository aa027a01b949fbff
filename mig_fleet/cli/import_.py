"""`mig-fleet import`: writes a stack file from existing layouts and nodes."""

import os
import sys
from typing import Any
from urllib.parse import quote

import click

from mig_fleet.cli import sources
from mig_fleet.documents import DocumentError, open_document
from mig_fleet.model import gpus
from mig_fleet.model.errors import MigError
from mig_fleet.model.imports import Imported, import_nodes, import_parted, models_by_config, stack_file
from mig_fleet.model.layouts import Layout
from mig_fleet.model.short_repr import format_value


@click.command(name="import")
@click.argument("files", nargs=-1, metavar="[FILE...]")
@click.option("--cluster", is_flag=True, help="Read nodes and ConfigMaps of the cluster that kubectl uses.")
@click.option("--context", help="Use this context of the kubeconfig; implies --cluster.")
@click.option(
    "--namespace", default="gpu-operator", show_default=True, help="The namespace of the operator's ConfigMaps."
)
@click.option("--gpu", help="The GPU model of nodes and configs that do not specify one.")
@click.option("--gpus-per-node", type=click.IntRange(1, 64), help="The number of GPUs of nodes that do not specify it.")
def import_(
    files: tuple[str, ...],
    cluster: bool,
    context: str | None,
    namespace: str,
    gpu: str | None,
    gpus_per_node: int | None,
) -> None:
    """Write a stack file from existing layouts and nodes.

    FILE is a mig-parted file, ConfigMaps as `kubectl get -o yaml` prints them, or an Ansible playbook with mig_nodes.

    The stack file is printed to standard output. What could not be imported is printed to standard error and added to
    the stack file as comments. The sources are only read. Exit status 1 if there is nothing to import, 2 if a source
    cannot be read.
    """
    if not (files or cluster or context):
        raise click.UsageError("name a source: a file, or --cluster")
    found = sources.Found()
    try:
        model = gpus.find(gpu) if gpu else None
        for file in files:
            sources.read(open_document(file), found)
        if cluster or context:
            sources.read_cluster(*_cluster(context, namespace), found)
    except (MigError, DocumentError) as exc:
        raise click.UsageError(str(exc)) from None
    models = models_by_config(found.nodes, model)
    known = _merge([import_parted(file, model, gpus_per_node, models) for file in found.files], found.not_imported)
    pools, known = import_nodes(found.nodes, known, model, gpus_per_node)
    not_imported = known.not_imported if pools else (*known.not_imported, "no source has nodes; add mig-fleet:pools")
    for note in not_imported:
        click.echo(f"not imported, or imported with a change: {note}", err=True)
    if not known.layouts:
        click.echo("there is nothing to import", err=True)
        sys.exit(1)
    click.echo(stack_file(known.layouts, pools, not_imported), nl=False)


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
    return Imported(tuple(layouts.values()), configs, defined, tuple(notes))


def _cluster(context: str | None, namespace: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The nodes of a cluster, and the ConfigMaps of a namespace."""
    from mig_fleet.cluster.connection import Connection
    from mig_fleet.cluster.errors import ClusterError

    args = {"kubeconfig": os.environ.get("KUBECONFIG"), "context": context}
    try:
        cluster = Connection({key: value for key, value in args.items() if value})
        nodes = cluster.get("/api/v1/nodes")["items"]
        return nodes, cluster.get(f"/api/v1/namespaces/{quote(namespace, safe='')}/configmaps")["items"]
    except ClusterError as exc:
        raise click.UsageError(str(exc)) from None
