"""Compares the layout file in the cluster with what it must have. Each difference of the file is created here. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from mig_fleet.observed.configs.layout_file import Entries, sound_configs
from mig_fleet.observed.drift import Difference, DriftClass
from mig_fleet.observed.owners.cluster_owner import Owner, file_owner


def layout_file_drift(expected: Mapping[str, Any], live: Mapping[str, Any] | None, config_map: str) -> list[Difference]:
    """How others changed the stack's configs in the layout file; both map config name → entries."""
    if live is None:
        text = f"{config_map} is missing, or is not a mig-parted file"
        return [Difference(DriftClass.CONFIG_MAP_MISSING, "", text)]
    return [
        Difference(DriftClass.CONFIG_MAP_EDITED, "", f"config '{name}' {'differs' if name in live else 'is missing'}")
        for name, entries in sorted(expected.items())
        if live.get(name) != entries
    ]


def file_owner_drift(owner: str, config_map: Mapping[str, Any] | None) -> list[Difference]:
    """Another owner, or none, in an existing layout file; ``owner`` is empty in a program that declares none."""
    found, ours = file_owner(config_map), Owner.parse(owner)
    if config_map is None or ours is None or (found and found.id == ours.id):
        return []
    recorded = f"stack {found.stack}" if found else "not recorded"
    return [Difference(DriftClass.CONFIG_MAP_EDITED, "", f"its owner is {recorded}, expected stack {ours.stack}")]


def carried_config_drift(
    carried: Mapping[str, Entries], config_map: Mapping[str, Any] | None, configs: Iterable[str]
) -> list[Difference]:
    """Of ``configs``, those that nodes carry, what the layout file lacks; ``carried`` is what it must have."""
    live = sound_configs(config_map)
    return [
        Difference(
            DriftClass.CONFIG_MAP_EDITED,
            "",
            f"config '{name}', which nodes carry, {'differs' if name in live else 'is missing'}",
        )
        for name in sorted(carried.keys() & {*configs})
        if config_map is not None and live.get(name) != carried[name]
    ]
