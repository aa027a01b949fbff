"""`mig-fleet import`: from what there is to a stack file."""

import os
import sys
from typing import Any
from urllib.parse import quote

import click

from mig_fleet.cli import sources
from mig_fleet.documents import DocumentError, open_document
from mig_fleet.model import gpus
from mig_fleet.model.errors import MigError, shown
from mig_fleet.model.imports import Imported, carried_by, import_nodes, import_parted, stack_file
from mig_fleet.model.layouts import Layout


@click.command(name="import")
@click.argument("files", nargs=-1, metavar="[FILE...]")
@click.option("--cluster", is_flag=True, help="Read nodes and ConfigMaps of the cluster that kubectl would talk to.")
@click.option("--context", help="Another context of the kubeconfig; implies --cluster.")
@click.option("--namespace", default="gpu-operator", show_default=True, help="Where the operator's ConfigMaps are.")
@click.option("--gpu", help="The GPU model where neither a node nor a device filter says it.")
@click.option("--gpus-per-node", type=click.IntRange(1, 64), help="GPUs of a node where a source does not say it.")
def import_(
    files: tuple[str, ...],
    cluster: bool,
    context: str | None,
    namespace: str,
    gpu: str | None,
    gpus_per_node: int | None,
) -> None:
    """Write a stack file from mig-parted files, ConfigMaps, Ansible playbooks (mig_nodes) or a live cluster.

    The stack file goes to standard output; what could not be carried over stands in it as comments and on standard
    error. Nothing is changed anywhere. Exits 1 when there was nothing to carry over, 2 when a source cannot be read.
    """
    if not (files or cluster or context):
        raise click.UsageError("say where from: a file, or --cluster")
    found = sources.Found()
    try:
        model = gpus.find(gpu) if gpu else None
        for file in files:
            sources.read(open_document(file), found)
        if cluster or context:
            sources.read_cluster(*_cluster(context, namespace), found)
    except (MigError, DocumentError) as exc:
        raise click.UsageError(str(exc)) from None
    carried = carried_by(found.nodes, model)
    known = _together([import_parted(file, model, gpus_per_node, carried) for file in found.files], found.left)
    pools, known = import_nodes(found.nodes, known, model, gpus_per_node)
    left = known.left if pools else (*known.left, "no source says which nodes there are; add mig-fleet:pools")
    for note in left:
        click.echo(f"not carried over: {note}", err=True)
    if not known.layouts:
        click.echo("there was nothing to carry over", err=True)
        sys.exit(1)
    click.echo(stack_file(known.layouts, pools, left), nl=False)


def _together(parts: list[Imported], left: list[str]) -> Imported:
    """Several files as one; of two layouts of one name that differ, the first stays."""
    layouts: dict[str, Layout] = {}
    configs: dict[tuple[str, str], Layout] = {}
    notes = list(left)
    for part in parts:
        notes += part.left
        own: dict[str, str] = {}
        for key, layout in part.configs.items():
            if layouts.setdefault(layout.name, layout) == layout:
                configs[key] = layout
                own.setdefault(layout.name, key[0])
            elif layout.name in own:
                text = f"layout {layout.name} came of config {shown(own[layout.name])} of the same file and differs"
                notes.append(f"{key[0]}: {text}; that one was taken, this one was not")
            else:
                notes.append(f"{key[0]}: another source defines {layout.name} differently; that one was taken")
    defined = frozenset[str]().union(*(part.defined for part in parts))
    return Imported(tuple(layouts.values()), configs, defined, tuple(notes))


def _cluster(context: str | None, namespace: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Nodes and ConfigMaps as the API server has them."""
    from mig_fleet.cluster.connection import Connection
    from mig_fleet.cluster.errors import ClusterError

    where = {"kubeconfig": os.environ.get("KUBECONFIG"), "context": context}
    try:
        cluster = Connection({key: value for key, value in where.items() if value})
        nodes = cluster.get("/api/v1/nodes")["items"]
        return nodes, cluster.get(f"/api/v1/namespaces/{quote(namespace, safe='')}/configmaps")["items"]
    except ClusterError as exc:
        raise click.UsageError(str(exc)) from None
