"""Finds nodes and their configs in Ansible's playbooks, variables and inventories, which have no fixed format."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mig_fleet.model import labels
from mig_fleet.model.imports import NodeFacts
from mig_fleet.model.numbers import parse_natural
from mig_fleet.model.short_repr import format_value

LIST = "mig_nodes"
"""The usual name. Under it every item must be a node; other names are recognized by their content."""

HOSTS = ("hosts", "hostvars")
"""Mappings of hosts in an inventory, and in the output of ``ansible-inventory --list``."""

NAMES = ("name", "node", "host", "hostname", "inventory_hostname")
GENERAL = ("config", "layout", "profile", "label")
CONFIGS = ("mig_config", "mig_profile", "mig_layout", *GENERAL)
GPUS = ("gpu", "gpu_model", "model", "product", labels.PRODUCT)
SIZES = ("gpus", "gpu_count", "gpus_per_node", "count", labels.COUNT)
"""The possible keys of each fact. Lists and mappings of other things have those in ``GENERAL``, too."""

_NESTED = ("labels", "node_labels")
_STOCK = "all-"
"""NVIDIA's config names begin with it, so a variable with such a value is a config, whatever its name."""
_OF_NODES = ("node", "host", "machine")
"""A mapping of names to texts has nodes as keys only if its own name has one of these."""
_HOST = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?")

Variables = Mapping[Any, Any]


def nodes_in(data: Any) -> Iterator[NodeFacts | str]:
    """Each node at any depth, or why an item of ``mig_nodes`` is none."""
    return _in(LIST if _is_list_of_nodes(data) else "", data, {})


def _in(key: str, data: Any, inherited: Variables) -> Iterator[NodeFacts | str]:
    """``inherited`` are the variables of the groups above."""
    if isinstance(data, Mapping) and {"apiVersion", "kind"} <= data.keys():
        return  # an object of Kubernetes: the names in it are no nodes, and its labels are not theirs
    if key == LIST or _is_list_of_nodes(data) or _maps_nodes(key, data):
        yield from (_node(item, inherited) for item in _items(data))
    elif isinstance(data, Mapping):
        variables = data.get("vars")
        inherited = {**inherited, **(variables if isinstance(variables, Mapping) else {})}
        for name, value in data.items():
            if name in HOSTS and isinstance(value, Mapping):
                yield from _hosts(value, inherited)
            else:
                yield from _in(str(name), value, inherited)
    elif isinstance(data, list):
        for item in data:
            yield from _in("", item, inherited)


def _hosts(hosts: Variables, inherited: Variables) -> Iterator[NodeFacts | str]:
    """The hosts that have a config; the others are no nodes with GPUs."""
    for item in _items(hosts):
        if _has_config({**inherited, **item}):
            yield _node(item, inherited)


def _items(data: Any) -> list[Any]:
    """Nodes as a list; a mapping has their names as keys, and their config alone or with other facts as values."""
    if not isinstance(data, Mapping):
        return data if isinstance(data, list) else [data]
    if _text(data, NAMES) and _config(data):
        return [data]
    return [
        {"config": value, "name": name} if isinstance(value, str) else {**_mapping(value), "name": str(name)}
        for name, value in data.items()
    ]


def _is_list_of_nodes(data: Any) -> bool:
    return (
        isinstance(data, list)
        and bool(data)
        and all(isinstance(item, Mapping) and _text(item, NAMES) and _has_config(item) for item in data)
    )


def _maps_nodes(key: str, data: Any) -> bool:
    """Whether a mapping has nodes as keys."""
    if not (
        isinstance(data, Mapping) and data and all(isinstance(name, str) and _HOST.fullmatch(name) for name in data)
    ):
        return False
    values = list(data.values())
    if all(isinstance(value, str) for value in values):
        # `config: {default: all-disabled}` is a setting of NVIDIA's chart.
        of_nodes = any(word in key.casefold() for word in _OF_NODES)
        return of_nodes and ("mig" in key.casefold() or all(value.startswith(_STOCK) for value in values))
    return all(isinstance(value, Mapping) and _text(value, CONFIGS) and _has_config(value) for value in values)


def _node(item: Any, inherited: Variables) -> NodeFacts | str:
    if not isinstance(item, Mapping):
        return f"an item of {LIST} is not a mapping of name and config: {str(item)[:60]}"
    facts = {**inherited, **item}
    name, config = _text(item, NAMES), _config(facts)
    if name is None or config is None:
        missing = "name" if name is None else "config"
        return f"an item of {LIST} has no {missing}: {str(dict(item))[:80]}"
    if "{{" in name + config:
        return f"an item of {LIST} is a template, which only Ansible can evaluate: {name}, {config}"
    given = [(key, facts[key]) for key in SIZES if facts.get(key) is not None]
    size = next((number for _, value in given if (number := _number(value)) is not None), None)
    invalid = f"{given[0][0]} is {format_value(given[0][1])}" if given and size is None else ""
    return NodeFacts(name, config, _text(facts, GPUS), size, invalid_size=invalid)


def _has_config(item: Variables) -> bool:
    """Whether it has a config for sure: by the key, by NVIDIA's name, or by a GPU model beside it."""
    config = _config(item)
    return config is not None and (
        config != _text(item, GENERAL) or config.startswith(_STOCK) or _text(item, GPUS) is not None
    )


def _config(item: Variables) -> str | None:
    if found := _text(item, CONFIGS) or _text(item, (labels.CONFIG,)):
        return found
    stock = (value for key, value in item.items() if "mig" in str(key).casefold() and isinstance(value, str))
    nested = (_text(_mapping(item.get(key)), (labels.CONFIG,)) for key in _NESTED)
    return next((value for value in stock if value.startswith(_STOCK)), None) or next(filter(None, nested), None)


def _text(item: Variables, keys: tuple[str, ...]) -> str | None:
    return next((item[key] for key in keys if isinstance(item.get(key), str)), None)


def _mapping(value: Any) -> Variables:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> int | None:
    return value if type(value) is int else parse_natural(value) if isinstance(value, str) else None
