"""Which wave owns a node. Annotations on the node name one wave and its stack, and the stack declares the node in one
wave; after an interrupted update the two can differ. Two stacks have waves of the same names: both are compared. Pure.

``owner`` is the record of the cluster's owner, ``<id> <organization>/<project>/<stack>``; empty in a program that
declares none.
"""

from collections.abc import Iterable, Mapping

from mig_fleet.model import labels
from mig_fleet.observed.owners.cluster_owner import Owner, node_owner
from mig_fleet.observed.snapshot import Node


def owned_by(wave: str, nodes: Mapping[str, Node], keep: Iterable[str], owner: str = "") -> dict[str, Node]:
    """The nodes with annotations that name this wave of this owner, except those in ``keep``; sorted by name."""
    kept = set(keep)
    owned = (node for node in nodes.values() if node.name not in kept and is_owned_by(node, wave, owner))
    return {node.name: node for node in sorted(owned, key=lambda node: node.name)}


def is_owned_by(node: Node, wave: str, owner: str = "") -> bool:
    """Whether the node's annotations name this wave of this owner."""
    return node.annotations.get(labels.WAVE) == wave and not belongs_to_another_stack(node, owner)


def belongs_to_another_wave(node: Node, wave: str, owner: str = "") -> bool:
    """Whether the node's annotations name another wave, or a wave of another owner."""
    return labels.WAVE in node.annotations and not is_owned_by(node, wave, owner)


def belongs_to_another_stack(node: Node, owner: str) -> bool:
    """Whether the node records another owner. One without a record belongs to no other stack."""
    recorded, ours = node_owner(node), Owner.parse(owner)
    return recorded is not None and (ours is None or recorded.id != ours.id)


def ownership_annotations(node: Node | None, wave: str, owner: str = "") -> dict[str, str | None]:
    """The annotations of a node that this wave owns: the wave, its stack, and the config from before our first write.

    Without an owner, the record of an earlier one is removed.
    """
    before = node.annotations.get(labels.PREVIOUS_CONFIG, node.config) if node else ""
    found: dict[str, str | None] = {labels.WAVE: wave, labels.PREVIOUS_CONFIG: before}
    if owner or (node and labels.OWNER in node.annotations):
        found[labels.OWNER] = owner or None
    return found


def carries(node: Node, annotations: Mapping[str, str | None]) -> bool:
    return all(node.annotations.get(key) == value for key, value in annotations.items())
