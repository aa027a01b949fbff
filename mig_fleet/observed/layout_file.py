"""The layout file in the cluster: what it holds, and which configs it must keep. Pure.

A config stays in the file until the update after the last node left it: MIG Manager applies a node's label again
whenever its pod starts (mig-parted main.go, AddFunc), and a label without its config ends in `failed`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from mig_fleet.documents import DocumentError, dump, parse
from mig_fleet.model import labels
from mig_fleet.observed.snapshot import Node

Configs = dict[str, Any]
"""Config name → entries, as plain data."""


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


def declared_configs(file: str) -> Configs:
    """The configs of the stack's own file, as :func:`mig_fleet.model.parted.dump` wrote it."""
    configs: Configs = parse(labels.LAYOUTS_CONFIG_MAP, file.encode()).data["mig-configs"]
    return configs


def needed_configs(nodes: Iterable[Node]) -> set[str]:
    """The configs that MIG Manager may have to apply: now, in a rollback, or when the wave leaves the stack."""
    keys = (labels.VERIFIED_CONFIG, labels.PREVIOUS_CONFIG)
    return {config for node in nodes for config in (node.config, *(node.annotations.get(key, "") for key in keys))}


def merge_files(file: str, live: Configs, needed: set[str]) -> str:
    """The stack's file, followed by the live configs that nodes need and the stack no longer has."""
    declared = declared_configs(file)
    kept = {name: live[name] for name in sorted(live.keys() & needed - declared.keys())}
    return file + "".join(f"  {dump(name)}: {dump(entries)}\n" for name, entries in kept.items())


def superfluous(file: str, live: Configs, needed: set[str]) -> list[str]:
    """Live configs that neither the stack nor a node needs any more."""
    return sorted(live.keys() - declared_configs(file).keys() - needed)
