"""Reads layouts and nodes to import from files and from a live cluster."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mig_fleet.cli.config_map import files_of
from mig_fleet.cli.inventory import nodes_in
from mig_fleet.cli.node_objects import read_node, saved_objects, sharing
from mig_fleet.documents import DUMP, Document, DocumentError, parse, read_content
from mig_fleet.failures import describe
from mig_fleet.model import labels, parted
from mig_fleet.model.errors import InvalidPartedFile
from mig_fleet.model.imports import NodeFacts, Notes, format_names, read_nvidia_smi
from mig_fleet.model.imports.nvidia_smi import SmiOutput
from mig_fleet.model.node_names import is_node_name
from mig_fleet.model.parted import PartedFile
from mig_fleet.model.parted.lint import LintRule
from mig_fleet.model.parted.lint.overlaps import check_overlaps
from mig_fleet.model.report import Report
from mig_fleet.model.short_repr import format_value
from mig_fleet.model.strategy import DEFAULT, Strategy
from mig_fleet.observed.configs.manager_file import GENERATED_SUFFIX
from mig_fleet.stack_file.reading import is_stack_file

NOT_SHARED = (
    "mig-fleet counts each slice and GPU once, for one pod, and refuses the first update; before it, remove the "
    "resource from `sharing` in the device plugin's config"
)
READS = (
    "has neither layouts nor nodes. Import reads a mig-parted file (mig-configs), also in a ConfigMap or in values of "
    "the GPU Operator's chart (migManager.config.data); nodes as `kubectl get nodes -o yaml` prints them; the output "
    "of `nvidia-smi -L` or `nvidia-smi mig -lgi` in a file named as its node; and Ansible's nodes: a list of {name: …, "
    "config: …, gpu: …, gpus: …}, a mapping of names to these, or what `ansible-inventory -i FILE --list` prints"
)


@dataclass(slots=True)
class Found:
    """The content of all sources."""

    files: list[PartedFile] = field(default_factory=list)
    cluster_files: list[PartedFile] = field(default_factory=list)
    """From ConfigMaps of a cluster. Only what its nodes carry is imported of them: NVIDIA's file and a copy of it in
    ``mig-fleet-layouts`` have configs for every GPU model."""
    nodes: list[NodeFacts] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)
    strategy: Strategy = DEFAULT
    """The device plugin's, by the labels of the nodes."""


def read(path: str, found: Found) -> None:
    """Adds the content of a file. Raises DocumentError if it is broken or has nothing to import."""
    content = read_content(path, DUMP)
    try:
        output = read_nvidia_smi(content.decode("utf-8-sig", "replace"))
    except ValueError as exc:
        raise DocumentError(path, str(exc)) from None
    if output is None:
        _read_document(_parse(path, content), found)
    else:
        _read_output(path, output, found)


def _parse(path: str, content: bytes) -> Document:
    """Only Node objects may be more than a layout file can be."""
    try:
        return parse(path, content)
    except DocumentError as exc:
        refused = exc
    with suppress(DocumentError):
        document = parse(path, content, DUMP)
        if saved_objects(document.data)["Node"]:
            return document
    raise refused


def _read_document(document: Document, found: Found) -> None:
    if is_stack_file(document.data):
        raise DocumentError(document.name, "is a stack file already; `mig-fleet check` proves it")
    _note_ignored(document, found.notes)
    saved = saved_objects(document.data)
    if saved["Node"]:
        read_cluster(saved["Node"], saved["ConfigMap"], found)
        return
    inner = files_of(document)
    for file in [document] if inner is None else inner:
        if file is not document:
            _note_ignored(file, found.notes)
        if isinstance(file.data, Mapping) and "mig-configs" in file.data:
            _read_layouts(file, found)
        else:
            _read_nodes(file, found)


def _note_ignored(document: Document, notes: Notes) -> None:
    for finding in document.ignored:
        notes.left_out(str(finding))


def _read_layouts(document: Document, found: Found) -> None:
    try:
        file = parted.read(document.data)
    except InvalidPartedFile as exc:
        raise DocumentError(document.at(exc.path), str(exc)) from None
    found.files.append(file)
    for name, entries in file.configs.items():
        for finding in check_overlaps(name, entries):
            if finding.rule == LintRule.CONTRADICTING:
                found.notes.changed(f"{finding.text}; the layout has what the last entry says", config=name)


def _read_nodes(document: Document, found: Found) -> None:
    nodes = list(nodes_in(document.data))
    if not nodes:
        raise DocumentError(document.name, READS)
    for node in nodes:
        if isinstance(node, str):
            found.notes.left_out(f"{document.name}: {node}")
        else:
            found.nodes.append(node)


def _read_output(path: str, output: SmiOutput, found: Found) -> None:
    """A node whose name is that of the file. Nodes with the same slices get the same config."""
    products = sorted(set(output.products.values()))
    name, entries = Path(path).stem, output.entries()
    if not is_node_name(name):
        raise DocumentError(path, "nvidia-smi prints no name of a node; rename the file to NODE.txt")
    if len(products) > 1:
        found.notes.left_out(f"has {' and '.join(products)}; a pool has GPUs of one model", node=name)
        return
    known = (key for file in found.files for key, its in file.configs.items() if its == entries)
    config = next(known, name) if output.slices else labels.ALL_DISABLED
    if output.slices and config == name:
        found.files.append(PartedFile({name: entries}))
    size = len(output.products) or None
    node = NodeFacts(name, config, next(iter(products), None), size, output.counts(), counted_by=output.command)
    found.nodes.append(node)
    found.notes.changed("named as its file, because nvidia-smi prints no name of a node", node=name)
    if not output.products:
        why = f"{output.command} prints no GPU without instances: those count as MIG off"
        found.notes.changed(why, node=name)


def read_cluster(
    nodes: list[dict[str, Any]],
    config_maps: list[dict[str, Any]],
    found: Found,
    reports: Mapping[str, Report] | None = None,
) -> None:
    """Adds the objects of a cluster: MIG-capable nodes, and the mig-parted files in ConfigMaps.

    ``reports`` has the probes' reports by node, if probes run.
    """
    # What MIG Manager generated for one node has NVIDIA's names for the node's GPU model, which are known here too.
    generated = {f"{node['metadata']['name']}{GENERATED_SUFFIX}" for node in nodes}
    for item in config_maps:
        text = (item.get("data") or {}).get(labels.LAYOUTS_KEY, "")
        name = item["metadata"]["name"]
        if "mig-configs" in text and name not in generated:
            inner = Found()
            try:
                _read_document(parse(f"ConfigMap {name}", text.encode()), inner)
            except DocumentError as exc:
                inner.notes.left_out(str(exc))
            found.cluster_files += inner.files
            found.notes.extend(inner.notes)
    strategies: dict[str, list[str]] = {}
    for node in nodes:
        name, node_labels = node["metadata"]["name"], node["metadata"].get("labels") or {}
        if node_labels.get(labels.CAPABLE) == "true":
            report = (reports or {}).get(name)
            if report and len(report.kinds) > 1:
                kinds = ", ".join(report.kinds)
                found.notes.left_out(f"has several kinds of GPU, {kinds}; a pool is for nodes with one kind", node=name)
                continue
            try:
                found.nodes.append(read_node(node, report))
                for it in sharing(node):
                    found.notes.changed(f"{it.name} is shared, {it.replicas} times each: {NOT_SHARED}", node=name)
            except Exception as exc:
                # One node must not hide the others.
                found.notes.left_out(f"could not be read: {describe(exc)}", node=name)
                continue
            # GFD writes the label only under the strategies single and mixed (k8s-device-plugin internal/lm).
            strategies.setdefault(node_labels.get(labels.STRATEGY, str(Strategy.NONE)), []).append(name)
        elif labels.CONFIG in node_labels:
            why = f"has a config, but no label {labels.CAPABLE}=true; check that GPU Feature Discovery runs on it"
            found.notes.left_out(why, node=name)
    if Strategy.SINGLE in strategies and Strategy.MIXED not in strategies:
        found.strategy = Strategy.SINGLE
    for each, names in sorted(strategies.items()):
        if each != found.strategy:
            found.notes.changed(_other_strategy(each, names, found.strategy))


def _other_strategy(name: str, nodes: list[str], kept: Strategy) -> str:
    """What changes for the pods on nodes with this strategy once a stack with another one manages them."""
    if kept is Strategy.SINGLE:
        then = f"has the resource {labels.GPU_RESOURCE} for slices and for whole GPUs"
    else:
        then = (
            f"has a resource for each profile, such as {labels.RESOURCE_PREFIX}1g.10gb; a pod that requests "
            f"{labels.GPU_RESOURCE} then gets a whole GPU, or stays Pending if there is none; change the requests of "
            "such pods before the first update"
        )
    return (
        f"strategy {format_value(name)} of {format_names(nodes)}: a cluster has one strategy, and the stack keeps "
        f"{kept}, which {then}"
    )
