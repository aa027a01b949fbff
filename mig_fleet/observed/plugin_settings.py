"""The MIG strategy of a node's device plugin, and what it shares, by the labels of GPU Feature Discovery (GFD). Pure.

GFD reads the same settings (k8s-device-plugin v0.20.0, internal/lm): it writes the strategy, under single and mixed
only, and for each resource the number of replicas, which is above 1 where a device is shared.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from mig_fleet.model import gfd, labels
from mig_fleet.model.strategy import Strategy
from mig_fleet.observed.snapshot import Node

SHARED: Final = ".shared"
"""End of a resource's name under ``renameByDefault`` (k8s-device-plugin v0.20.0, api/config/v1)."""


@dataclass(frozen=True, slots=True)
class SharedResource:
    """A resource whose devices the device plugin offers several times."""

    name: str
    """Without :data:`SHARED`."""
    replicas: int
    offered_as: str
    offered: int
    """What the kubelet offers."""

    def __str__(self) -> str:
        shares = f"as the device plugin shares each {self.replicas} times"
        return f"the kubelet offers {self.offered} {self.offered_as}, {shares}"


def strategy_of(node: Node) -> str:
    """Empty if GFD has not labelled the node."""
    return node.labels.get(labels.STRATEGY) or (str(Strategy.NONE) if labels.PRODUCT in node.labels else "")


def with_another_strategy(nodes: Iterable[Node], strategy: Strategy) -> dict[str, str]:
    """Node → the strategy that it has now, where it is not this one."""
    return {node.name: now for node in nodes if (now := strategy_of(node)) not in ("", strategy)}


def shared_resources(node_labels: Mapping[str, str], allocatable: Mapping[str, int]) -> list[SharedResource]:
    """What a node shares, sorted. The kubelet's number must agree, because GFD may lag behind it."""
    found = []
    for name, replicas in sorted(gfd.replicas(node_labels).items()):
        offers = {key: allocatable.get(key, 0) for key in (name, f"{name}{SHARED}")}
        offered_as = max(offers, key=lambda key: offers[key])
        if offers[offered_as] and offers[offered_as] % replicas == 0:
            found.append(SharedResource(name, replicas, offered_as, offers[offered_as]))
    return found
