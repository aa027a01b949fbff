"""The layout file in the cluster: what it holds, and which configs it must keep. Pure.

A config stays in the file until the update after the last node left it: MIG Manager applies a node's label again
whenever its pod starts (mig-parted main.go, AddFunc), and a label without its config ends in `failed`.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from mig_fleet.documents import DocumentError, dump, parse
from mig_fleet.model import labels, parted
from mig_fleet.model.errors import InvalidPartedFile
from mig_fleet.observed.snapshot import Node

Configs = dict[str, Any]
"""Config name → entries, as plain data."""

Entries = tuple[parted.Entry, ...]
"""The entries of one config, in the order of the file."""


def parse_live_file(config_map: Mapping[str, Any]) -> Any:
    """The layout file, which others may have edited; raises :class:`~mig_fleet.documents.DocumentError`."""
    text: str = (config_map.get("data") or {}).get(labels.LAYOUTS_KEY, "")
    return parse(labels.LAYOUTS_CONFIG_MAP, text.encode()).data


def live_configs(config_map: Mapping[str, Any] | None) -> Configs | None:
    """The configs of the live file; ``None`` if there is no file that mig-parted accepts."""
    if config_map is None:
        return None
    try:
        configs = parse_live_file(config_map).get("mig-configs")
    except (DocumentError, AttributeError):
        return None
    # mig-parted refuses a file in which a config's name is not text.
    return configs if isinstance(configs, dict) and all(isinstance(name, str) for name in configs) else None


def sound_configs(config_map: Mapping[str, Any] | None) -> dict[str, Entries]:
    """Every config of a ConfigMap's layout file that mig-parted accepts, each by itself: others may have written it."""
    found: dict[str, Entries] = {}
    for name, entries in (live_configs(config_map) or {}).items():
        try:
            found.update(parted.read({"version": "v1", "mig-configs": {name: entries}}).configs)
        except InvalidPartedFile:
            continue
    return found


def declared_configs(file: str) -> Configs:
    """The configs of the stack's own file, as :func:`mig_fleet.model.parted.dump` wrote it."""
    configs: Configs = parse(labels.LAYOUTS_CONFIG_MAP, file.encode()).data["mig-configs"]
    return configs


def config_changes(before: str, after: str) -> list[str]:
    """A line for each config that differs between two of the stack's own files."""
    old, new = declared_configs(before), declared_configs(after)
    lines = [f"new config {name!r}" for name in new.keys() - old.keys()]
    lines += [f"config {name!r} is no longer declared" for name in old.keys() - new.keys()]
    lines += [f"config {name!r} has another layout" for name in old.keys() & new.keys() if old[name] != new[name]]
    return sorted(lines)


def needed_configs(nodes: Iterable[Node]) -> set[str]:
    """The configs that MIG Manager may have to apply: now, in a rollback, or when the wave leaves the stack."""
    return {config for node in nodes for config in configs_of(node)}


def configs_of(node: Node) -> tuple[str, ...]:
    """The config that a node carries, the one that was verified last, and the one from before our first write."""
    keys = (labels.VERIFIED_CONFIG, labels.PREVIOUS_CONFIG)
    found = (node.config, *(node.annotations.get(key, "") for key in keys))
    return tuple(dict.fromkeys(config for config in found if config))


def merge_files(file: str, kept: Mapping[str, Entries]) -> str:
    """The stack's file, followed by the configs that nodes need and the stack does not have."""
    declared = declared_configs(file)
    others = {name: [entry.to_data() for entry in kept[name]] for name in sorted(kept.keys() - declared.keys())}
    return file + "".join(f"  {dump(name)}: {dump(entries)}\n" for name, entries in others.items())


def dump_configs(configs: Mapping[str, Entries]) -> str:
    """Configs as one text, which :func:`parse_configs` reads back; the same configs always give the same text, and none
    an empty one.
    """
    data = {name: [entry.to_data() for entry in entries] for name, entries in configs.items()}
    return json.dumps(data, sort_keys=True) if data else ""


def parse_configs(text: str) -> dict[str, Entries]:
    """Configs from the text of :func:`dump_configs`; none from an empty text."""
    data = json.loads(text or "{}")
    return dict(parted.read({"version": "v1", "mig-configs": data}).configs) if data else {}


def superfluous(file: str, live: Configs, needed: set[str]) -> list[str]:
    """Live configs that neither the stack nor a node needs any more."""
    return sorted(live.keys() - declared_configs(file).keys() - needed)
