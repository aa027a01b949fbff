"""The layout file in the cluster: what it holds, what others changed in it, and what it must keep. Pure."""

from collections.abc import Mapping
from typing import Any

import yaml

from mig_fleet.documents import DocumentError, parse
from mig_fleet.model import labels
from mig_fleet.observed.snapshot import Node

Configs = dict[str, Any]
"""Config name → entries, as parsed YAML."""


def live_file(config_map: Mapping[str, Any]) -> Any:
    """What others may have edited, as mig-parted reads it; raises :class:`~mig_fleet.documents.DocumentError`."""
    text: str = (config_map.get("data") or {}).get(labels.LAYOUTS_KEY, "")
    return parse(labels.LAYOUTS_CONFIG_MAP, text.encode()).data


def union(file: str, live: Configs, carried: set[str]) -> str:
    """The stack's file, and behind it those live configs that nodes carry and the stack no longer has."""
    document = yaml.safe_load(file)
    kept = {name: live[name] for name in sorted(live.keys() & carried - document["mig-configs"].keys())}
    if not kept:
        return file
    return file + "".join(_indented(yaml.safe_dump({name: entries}, sort_keys=False)) for name, entries in kept.items())


def superfluous(file: str, live: Configs, carried: set[str]) -> list[str]:
    """Live configs that neither the stack nor a node needs any more."""
    return sorted(live.keys() - yaml.safe_load(file)["mig-configs"].keys() - carried)


def edits(file: str, live: Configs | None) -> list[str]:
    """What others did to the stack's configs, as sentences."""
    if live is None:
        return [f"ConfigMap gone: {labels.LAYOUTS_CONFIG_MAP} is missing or is no mig-parted file"]
    wanted: Configs = yaml.safe_load(file)["mig-configs"]
    return [
        f"ConfigMap edited: config '{name}' {'differs' if name in live else 'is missing'}"
        for name, entries in sorted(wanted.items())
        if live.get(name) != entries
    ]


def needed_configs(node: Node) -> set[str]:
    """What MIG Manager may be told to apply there: now, in a rollback, or when the wave leaves the stack."""
    notes = node.annotations
    return {node.config, notes.get(labels.VERIFIED_CONFIG, ""), notes.get(labels.PREVIOUS_CONFIG, "")}


def configs_of(config_map: dict[str, Any] | None) -> Configs | None:
    if config_map is None:
        return None
    try:
        configs = live_file(config_map).get("mig-configs")
    except (DocumentError, AttributeError):
        return None
    # A key that is no text makes mig-parted refuse the file.
    return configs if isinstance(configs, dict) and all(isinstance(name, str) for name in configs) else None


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())
