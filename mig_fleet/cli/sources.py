"""Where layouts and nodes can be imported from: mig-parted files, ConfigMaps, Ansible playbooks, a live cluster."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mig_fleet.cli.config_map import files_of
from mig_fleet.documents import Document, DocumentError, parse
from mig_fleet.model import labels, parted, strategy
from mig_fleet.model.errors import InvalidPartedFile, shown
from mig_fleet.model.imports import NodeFacts
from mig_fleet.model.parted import PartedFile

NAMES = ("name", "node", "host", "hostname", "inventory_hostname")
CONFIGS = ("config", "mig_config", "layout", "profile", "mig_profile", "label")
GPUS = ("gpu", "gpu_model", "model", "product")
SIZES = ("gpus", "gpu_count", "gpus_per_node", "count")
"""The keys of an item of `mig_nodes`; the list is a habit of playbooks, not a format, so several words are
understood.
"""


@dataclass(slots=True)
class Found:
    """What the sources held."""

    files: list[PartedFile] = field(default_factory=list)
    nodes: list[NodeFacts] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def read(document: Document, found: Found) -> None:
    """Adds what a document holds. Raises DocumentError for one that holds nothing to import, or is broken."""
    found.left += map(str, document.overlooked)
    inner = files_of(document)
    for file in [document] if inner is None else inner:
        if file is not document:
            found.left += map(str, file.overlooked)
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
        raise DocumentError(document.name, "holds neither mig-configs nor a list called mig_nodes")
    for items in lists:
        for item in items if isinstance(items, list) else [items]:
            node = _node(item)
            if isinstance(node, str):
                found.left.append(f"{document.name}: {node}")
            else:
                found.nodes.append(node)


def _lists(data: Any) -> Iterator[Any]:
    """Every ``mig_nodes``, wherever it stands: in a play's vars, in group_vars, in an inventory."""
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
        wanted = "name" if name is None else "config"
        return f"an item of mig_nodes has no {wanted}: {str(dict(item))[:80]}"
    if "{{" in name + config:
        return f"an item of mig_nodes is a template that only Ansible can fill in: {name}, {config}"
    said = [(key, item[key]) for key in SIZES if item.get(key) is not None]
    size = next((value for _, value in said if type(value) is int), None)
    unread = f"{said[0][0]} is {shown(said[0][1])}" if said and size is None else ""
    return NodeFacts(name, config, _text(item, GPUS), size, unread_size=unread)


def _text(item: Mapping[Any, Any], keys: tuple[str, ...]) -> str | None:
    return next((item[key] for key in keys if isinstance(item.get(key), str)), None)


def read_cluster(nodes: list[dict[str, Any]], config_maps: list[dict[str, Any]], found: Found) -> None:
    """Adds what the API server told: nodes that can do MIG, and every ConfigMap that holds a mig-parted file."""
    for item in config_maps:
        text = (item.get("data") or {}).get(labels.LAYOUTS_KEY, "")
        name = f"ConfigMap {item['metadata']['name']}"
        if "mig-configs" in text:
            try:
                read(parse(name, text.encode()), found)
            except DocumentError as exc:
                found.left.append(str(exc))
    strategies: dict[str, list[str]] = {}
    for node in nodes:
        name, marks = node["metadata"]["name"], node["metadata"].get("labels") or {}
        if marks.get(labels.CAPABLE) == "true":
            found.nodes.append(node_facts(name, marks))
            # GFD names the strategies single and mixed only (k8s-device-plugin internal/lm).
            strategies.setdefault(marks.get(labels.STRATEGY, str(strategy.Strategy.NONE)), []).append(name)
        elif labels.CONFIG in marks:
            why = f"has a config, but no label {labels.CAPABLE}=true; does GPU Feature Discovery run there?"
            found.left.append(f"node {name}: {why}")
    found.left += [_other_strategy(*item) for item in sorted(strategies.items()) if item[0] != strategy.DEFAULT]


def _other_strategy(name: str, nodes: list[str]) -> str:
    """What becomes of pods when a cluster of this strategy is run by a stack."""
    some = ", ".join(nodes[:3]) + (f" and {len(nodes) - 3} more" if len(nodes) > 3 else "")
    return (
        f"strategy {shown(name)} of {some}: every stack runs strategy {strategy.DEFAULT}, under which each slice is a "
        f"resource of its own, such as {labels.RESOURCE_PREFIX}1g.10gb; a pod that asks for {labels.GPU_RESOURCE} then "
        "gets a whole GPU, or stays Pending where there is none, so change what such pods ask for before the first "
        "update"
    )


def node_facts(name: str, marks: Mapping[str, str]) -> NodeFacts:
    """A node from its labels. Under strategy mixed each profile counts its slices in a label of its own."""
    slices = {}
    for key, value in marks.items():
        profile = key.removeprefix(labels.RESOURCE_PREFIX).removesuffix(".count")
        if key == f"{labels.RESOURCE_PREFIX}{profile}.count" and value.isdecimal() and int(value):
            slices[profile] = int(value)
    # Under strategy single the count is that of the slices.
    count = "0" if "-MIG-" in marks.get(labels.PRODUCT, "") else marks.get(labels.COUNT, "0")
    gpu_count = int(count) if count.isdecimal() else 0
    config, product = marks.get(labels.CONFIG), marks.get(labels.PRODUCT)
    return NodeFacts(name, config, product, slices=slices, gpu_count=gpu_count)
