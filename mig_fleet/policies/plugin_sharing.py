"""Chart values of a user that let the device plugin share what the pools offer. Pure.

The device plugin then offers a slice or GPU several times, or under another name, and every count of mig-fleet would
be wrong: what is verified, capacity, cost, what is free for pods. Under MPS it offers nothing. Sources:
k8s-device-plugin v0.20.0, api/config/v1 (replicas.go, sharing.go), cmd/nvidia-device-plugin/main.go,
internal/plugin/mps.go; gpu-operator v26.7.0, controllers/object_controls.go: a node without the label
``nvidia.com/device-plugin.config`` has the config that ``devicePlugin.config.default`` names, or an empty one.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from mig_fleet.model.strategy import Strategy
from mig_fleet.policies.operand_values import Problem, default_plugin_config


def shared_by_values(given: Mapping[str, Any], offered: Mapping[str, str], strategy: Strategy) -> Iterator[Problem]:
    """``offered``: resource → the pool that offers it. Only the default config counts: which nodes have another one, a
    label in the cluster decides.
    """
    name, config = default_plugin_config(given)
    sharing = config.get("sharing")
    if not isinstance(sharing, Mapping):
        return
    for kind in ("mps", "timeSlicing"):
        for resource, replicas in _resources(sharing.get(kind)):
            if why := _why(kind, resource, offered, strategy):
                yield f"devicePlugin.config.data.{name}", replicas, f"sharing.{kind} must not have {resource}: {why}"


def _resources(section: object) -> Iterator[tuple[str, object]]:
    """Resource and replicas, where there is more than one."""
    listed = section.get("resources") if isinstance(section, Mapping) else None
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, Mapping) and each.get("replicas", 1) != 1:
            yield str(each.get("name")), each["replicas"]


def _why(kind: str, resource: str, offered: Mapping[str, str], strategy: Strategy) -> str:
    if kind == "mps" and strategy is Strategy.MIXED:
        return "under strategy mixed the device plugin ends with MPS on every node, and offers nothing; remove it"
    if resource not in offered:
        return ""
    if kind == "mps":
        return "the device plugin ends with MPS on a node with slices, and offers nothing; remove it"
    return (
        f"pool '{offered[resource]}' offers it, and mig-fleet counts each slice and GPU once, for one pod; remove it, "
        "and give each pod a slice of a smaller profile"
    )
