"""Reads the layout files that may define the configs of nodes: ours, and those that MIG Manager reads today."""

from collections.abc import Iterable, Mapping

from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.connection import Json
from mig_fleet.cluster.errors import ClusterError
from mig_fleet.model import labels
from mig_fleet.observed.configs.carried import File, device_ids, restricted, selects
from mig_fleet.observed.configs.layout_file import configs_of, sound_configs
from mig_fleet.observed.configs.manager_file import GENERATED_SUFFIX, config_maps_read, policy_config_map
from mig_fleet.observed.operands import CLUSTER_POLICIES, MIG_MANAGER, operand_pods
from mig_fleet.observed.snapshot import Node


def read_sources(
    cluster: Cluster, namespace: str, nodes: Iterable[Node], declared: Iterable[str], live: File, every: bool
) -> dict[str, list[File]]:
    """Node → its files, the best one first; raises :class:`~mig_fleet.cluster.errors.ClusterError`.

    MIG Manager's files are read only if the live file lacks a config that a node carries; with ``every``, also if it
    lacks one that a node needs for a rollback or a release.
    """
    nodes, declared = list(nodes), set(declared)
    needed = {node.name: configs_of(node) if every else (node.config,) for node in nodes}
    wanted = ((config, node) for node in nodes for config in needed[node.name] if config and config not in declared)
    if all(selects(live.get(config, ()), device_ids(node)) and config in live for config, node in wanted):
        return {node.name: [live] for node in nodes}
    managers = operand_pods(cluster.pods_in(namespace, f"app={MIG_MANAGER}"), namespace, MIG_MANAGER)
    config_maps = {item["metadata"]["name"]: item for item in cluster.config_maps(namespace)}
    shared = [read_policy(cluster), labels.OPERATOR_OWNED_CONFIG_MAP]
    files = {name: sound_configs(config_maps.get(name)) for name in _names(managers, shared)}
    return {node.name: [live, *_files_of(node, managers.get(node.name), shared, files)] for node in nodes}


def read_policy(cluster: Cluster) -> str:
    """The ConfigMap that the ClusterPolicy names; empty if it names none, or may not be read."""
    try:
        return policy_config_map(cluster.custom_objects(*CLUSTER_POLICIES))
    except ClusterError:
        return ""


def _names(managers: Mapping[str, Json], shared: Iterable[str]) -> set[str]:
    names = {name for pod in managers.values() for name in config_maps_read(pod)}
    return (names | {*shared}) - {labels.LAYOUTS_CONFIG_MAP, ""}


def _files_of(node: Node, manager: Json | None, shared: Iterable[str], files: Mapping[str, File]) -> list[File]:
    """A generated file is about its node's GPUs only, although its entries may have no device filter."""
    read = config_maps_read(manager) if manager else []
    generated, ids = f"{node.name}{GENERATED_SUFFIX}", device_ids(node)
    found = {name: files[name] for name in [*read, *shared] if name in files}
    if generated in found and ids:
        found[generated] = {name: restricted(entries, ids) for name, entries in found[generated].items()}
    return [*found.values()]
