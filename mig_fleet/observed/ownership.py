"""Which wave owns a node. An annotation on the node names one wave, and the stack declares the node in one wave; after
an interrupted update the two can differ. Pure.
"""

from collections.abc import Iterable, Mapping

from mig_fleet.model import labels
from mig_fleet.observed.snapshot import Node


def owned_by(wave: str, nodes: Mapping[str, Node], keep: Iterable[str]) -> dict[str, Node]:
    """The nodes with an annotation that names this wave, except those in ``keep``; sorted by name."""
    kept = set(keep)
    owned = (node for node in nodes.values() if node.annotations.get(labels.WAVE) == wave)
    return {node.name: node for node in sorted(owned, key=lambda node: node.name) if node.name not in kept}


def belongs_to_another_wave(node: Node, wave: str) -> bool:
    """Whether the node's annotation names another wave."""
    return node.annotations.get(labels.WAVE) not in (None, wave)


def ownership_annotations(node: Node | None, wave: str) -> dict[str, str | None]:
    """The annotations of a node that this wave owns: the wave, and the config from before our first write."""
    before = node.annotations.get(labels.PREVIOUS_CONFIG, node.config) if node else ""
    return {labels.WAVE: wave, labels.PREVIOUS_CONFIG: before}


def carries(node: Node, annotations: Mapping[str, str | None]) -> bool:
    return all(node.annotations.get(key) == value for key, value in annotations.items())
