"""Reads layouts and nodes to import from mig-parted files, ConfigMaps, Ansible playbooks and a live cluster."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mig_fleet.cli.config_map import files_of
from mig_fleet.cluster.quantities import RIGHT, parse_count
from mig_fleet.documents import Document, DocumentError, parse
from mig_fleet.failures import Refused, describe
from mig_fleet.foreign_text import printable
from mig_fleet.model import gfd, labels, parted, strategy
from mig_fleet.model.errors import InvalidPartedFile
from mig_fleet.model.imports import NodeFacts, Offers, format_names, read_offers
from mig_fleet.model.numbers import parse_natural
from mig_fleet.model.parted import PartedFile
from mig_fleet.model.report import Report
from mig_fleet.model.short_repr import format_value
from mig_fleet.observed.configs.manager_file import GENERATED_SUFFIX

NAMES = ("name", "node", "host", "hostname", "inventory_hostname")
CONFIGS = ("config", "mig_config", "layout", "profile", "mig_profile", "label")
GPUS = ("gpu", "gpu_model", "model", "product")
SIZES = ("gpus", "gpu_count", "gpus_per_node", "count")
"""The keys of an item of `mig_nodes`. Playbooks use the list by convention, without a fixed format, so each fact has
several possible keys.
"""


@dataclass(slots=True)
class Found:
    """The content of all sources."""

    files: list[PartedFile] = field(default_factory=list)
    cluster_files: list[PartedFile] = field(default_factory=list)
    """From ConfigMaps of a cluster. Only what its nodes carry is imported of them: NVIDIA's file and a copy of it in
    ``mig-fleet-layouts`` have configs for every GPU model."""
    nodes: list[NodeFacts] = field(default_factory=list)
    not_imported: list[str] = field(default_factory=list)


def read(document: Document, found: Found) -> None:
    """Adds the content of a document. Raises DocumentError if it is broken or has nothing to import."""
    found.not_imported += map(str, document.ignored)
    inner = files_of(document)
    for file in [document] if inner is None else inner:
        if file is not document:
            found.not_imported += map(str, file.ignored)
        if isinstance(file.data, Mapping) and "mig-configs" in file.data:
            _read_layouts(file, found)
        else:
            _read_nodes(file, found)


def _read_layouts(document: Document, found: Found) -> None:
    try:
        found.files.append(parted.read(document.data))
    except InvalidPartedFile as exc:
        raise DocumentError(document.at(exc.path), str(exc)) from None


def _read_nodes(document: Document, found: Found) -> None:
    lists = list(_lists(document.data))
    if not lists:
        raise DocumentError(document.name, "has neither mig-configs nor a list mig_nodes")
    for items in lists:
        for item in items if isinstance(items, list) else [items]:
            node = _node(item)
            if isinstance(node, str):
                found.not_imported.append(f"{document.name}: {node}")
            else:
                found.nodes.append(node)


def _lists(data: Any) -> Iterator[Any]:
    """Every ``mig_nodes`` at any depth: in the vars of a play, in group_vars, in an inventory."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            if key == "mig_nodes":
                yield value
            else:
                yield from _lists(value)
    elif isinstance(data, list):
        for item in data:
            yield from _lists(item)


def _node(item: Any) -> NodeFacts | str:
    if not isinstance(item, Mapping):
        return f"an item of mig_nodes is not a mapping of name and config: {str(item)[:60]}"
    name, config = _text(item, NAMES), _text(item, CONFIGS)
    if name is None or config is None:
        missing = "name" if name is None else "config"
        return f"an item of mig_nodes has no {missing}: {str(dict(item))[:80]}"
    if "{{" in name + config:
        return f"an item of mig_nodes is a template, which only Ansible can evaluate: {name}, {config}"
    sizes = [(key, item[key]) for key in SIZES if item.get(key) is not None]
    size = next((value for _, value in sizes if type(value) is int), None)
    invalid = f"{sizes[0][0]} is {format_value(sizes[0][1])}" if sizes and size is None else ""
    return NodeFacts(name, config, _text(item, GPUS), size, invalid_size=invalid)


def _text(item: Mapping[Any, Any], keys: tuple[str, ...]) -> str | None:
    return next((item[key] for key in keys if isinstance(item.get(key), str)), None)


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
                read(parse(f"ConfigMap {name}", text.encode()), inner)
            except DocumentError as exc:
                inner.not_imported.append(str(exc))
            found.cluster_files += inner.files
            found.not_imported += inner.not_imported
    strategies: dict[str, list[str]] = {}
    for node in nodes:
        name, node_labels = node["metadata"]["name"], node["metadata"].get("labels") or {}
        if node_labels.get(labels.CAPABLE) == "true":
            try:
                offers = _offers(node, (reports or {}).get(name))
                found.nodes.append(node_facts(name, node_labels, offers))
            except Exception as exc:
                # One node must not hide the others.
                found.not_imported.append(f"node {name}: could not be read: {describe(exc)}")
                continue
            # GFD writes the label only under the strategies single and mixed (k8s-device-plugin internal/lm).
            strategies.setdefault(node_labels.get(labels.STRATEGY, str(strategy.Strategy.NONE)), []).append(name)
        elif labels.CONFIG in node_labels:
            why = f"has a config, but no label {labels.CAPABLE}=true; check that GPU Feature Discovery runs on it"
            found.not_imported.append(f"node {name}: {why}")
    found.not_imported += [_other_strategy(*item) for item in sorted(strategies.items()) if item[0] != strategy.DEFAULT]


def _offers(node: dict[str, Any], report: Report | None) -> Offers:
    node_labels, status = node["metadata"].get("labels") or {}, node.get("status") or {}
    listed = (status.get("allocatable") or {}).items()
    counts = {key: (parse_count(number), number) for key, number in listed if key.startswith("nvidia.com/")}
    for key, (count, number) in counts.items():
        if count is None:
            raise Refused(f"{printable(key)} is '{printable(number)}', which must be {RIGHT}")
    allocatable = {key: count for key, (count, _) in counts.items() if count is not None}
    state, gpus = node_labels.get(labels.STATE), None
    if report and not report.errors and (report.config, report.state) == (node_labels.get(labels.CONFIG), state):
        gpus = report.counts()
    return read_offers(node_labels, allocatable, gpus, state)


def _other_strategy(name: str, nodes: list[str]) -> str:
    """What changes for the pods of a cluster with this strategy once a stack manages it."""
    return (
        f"strategy {format_value(name)} of {format_names(nodes)}: every stack uses strategy {strategy.DEFAULT}, which "
        f"has a resource for each profile, such as {labels.RESOURCE_PREFIX}1g.10gb; a pod that requests "
        f"{labels.GPU_RESOURCE} then gets a whole GPU, or stays Pending if there is none; change the requests of such "
        "pods before the first update"
    )


def node_facts(name: str, node_labels: Mapping[str, str], offers: Offers | None = None) -> NodeFacts:
    """A node from its labels. Under strategy mixed there is a label with the number of slices of each profile."""
    slices = gfd.slice_counts(node_labels)
    # Under strategy single the label counts slices.
    count = "0" if gfd.is_slice_product(node_labels.get(labels.PRODUCT, "")) else node_labels.get(labels.COUNT, "0")
    gpu_count = parse_natural(count) or 0
    config, product = node_labels.get(labels.CONFIG), node_labels.get(labels.PRODUCT)
    return NodeFacts(name, config, product, slices=slices, gpu_count=gpu_count, offers=offers)
