"""The nodes that a change has isolated, and whether they still are: eviction and label rely on it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from mig_fleet.cluster.errors import NodeReplaced
from mig_fleet.failures import Refused
from mig_fleet.observed.snapshot import Node, Snapshot
from mig_fleet.rollout.context import RolloutContext
from mig_fleet.rollout.isolation import isolate


@dataclass
class IsolatedNodes:
    """Those of one change."""

    context: RolloutContext
    before: Snapshot
    """The fleet when the change was decided; every write is bound to these nodes."""
    names: set[str] = field(default_factory=set)
    """The nodes that this change isolated, and whose scheduling is restored if it fails."""
    _again: set[str] = field(default_factory=set)

    def add(self, nodes: Iterable[str]) -> None:
        """Isolate those that were not isolated before; raises :class:`Refused` if that fails."""
        self._isolate({name for name in nodes if not self.before.nodes[name].isolated} - self.names)

    def put_back(self, seen: Snapshot, nodes: Collection[str]) -> bool:
        """Isolate those again whose isolation another client removed; returns whether there was one, on which pods may
        have started meanwhile. Raises :class:`Refused` if it was removed twice, or if the node was replaced.
        """
        self._refuse_replaced(seen, nodes)
        exposed = [name for name in sorted(nodes) if name in seen.nodes and self._is_exposed(seen.nodes[name])]
        removed = f"another client removed our {self.context.wave.isolation} before the label was written"
        if again := [name for name in exposed if name in self._again]:
            writers = f"kubectl get node {again[0]} --show-managed-fields -o yaml"
            raise Refused(f"{', '.join(again)}: {removed}, twice; stop it first, `{writers}` shows who writes the node")
        if exposed:
            self.context.event(f"{', '.join(exposed)}: {removed}")
            self._isolate(exposed)
        self._again |= set(exposed)
        return bool(exposed)

    def _refuse_replaced(self, seen: Snapshot, nodes: Iterable[str]) -> None:
        """Raises :class:`Refused` for a node that was replaced: the new one has other GPUs and other pods."""
        before = self.before.nodes
        replaced = [name for name in sorted(nodes) if name in seen.nodes and seen.nodes[name].uid != before[name].uid]
        if replaced:
            raise Refused("; ".join(str(NodeReplaced(name)) for name in replaced))

    def _is_exposed(self, node: Node) -> bool:
        """Whether new pods may start there. A cordon of another user is as good as ours."""
        return not (node.isolated or (self.context.wave.isolation == "cordon" and node.cordoned))

    def _isolate(self, nodes: Collection[str]) -> None:
        self.names |= set(nodes)
        isolate(self.context, {name: self.before.nodes[name] for name in nodes})
