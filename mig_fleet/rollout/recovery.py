"""Recover nodes that NVIDIA's tools left in a wrong state: one remedy per node and update, one node at a time.

A rollback is a change of its own, to another config, and may recover each node once more. The remedies are those of
:mod:`mig_fleet.rollout.remedy`.

Nothing is restarted on a node that was only adopted and carries a config of others. Nothing is restarted while users'
pods hold slices of GPUs that MIG Manager would touch, and none can arrive while it works: the node is isolated first,
and a successful verification restores its scheduling. If a remedy fails, no other is tried.

Paused operands are restored on every node, before any remedy and also if recovery is off: nothing is restarted, no GPU
is touched, and without them the node offers none.
"""

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.connection import Json
from mig_fleet.cluster.errors import ClusterError
from mig_fleet.failures import Refused, describe
from mig_fleet.model import labels
from mig_fleet.observed.drift import Difference, DriftClass
from mig_fleet.observed.expected import Expected
from mig_fleet.observed.gpus.affected import AffectedGpus, affected_gpus
from mig_fleet.observed.gpus.pod_gpus import affected_pods, format_affected
from mig_fleet.observed.gpus.pods import gpu_pods
from mig_fleet.observed.operands import DEVICE_PLUGIN, MIG_MANAGER, pod_uids
from mig_fleet.observed.snapshot import Node, Snapshot, invalidate
from mig_fleet.rollout.adopted_node import is_only_adopted, way_out
from mig_fleet.rollout.context import RolloutContext
from mig_fleet.rollout.dra_plugin import DraPlugin
from mig_fleet.rollout.isolation import announce, isolate_node, restore_node
from mig_fleet.rollout.listed_pods import list_pods_on
from mig_fleet.rollout.manager_file import explain_other_file
from mig_fleet.rollout.paused_operands import restore_operands
from mig_fleet.rollout.reconfigure import note_attempts, start_attempt
from mig_fleet.rollout.remedy import WRONG, Remedy

STALE_ALLOCATABLE_S = 60.0
"""The device plugin registers within seconds of its start, which its init containers may delay."""

NO_POD_S = 30.0
"""A DaemonSet replaces a deleted pod within seconds."""

REPORT_S = 60.0
"""The probe reports a failure within a second, or at its next reading if it cannot watch its node; a minute at most."""

NO_STATE_S = 120.0
"""MIG Manager writes a state within seconds of a new config; its pod may have to be scheduled first."""


@dataclass
class Recovery:
    """The remedies of one verification; at most one per node."""

    context: RolloutContext
    tried: dict[str, str] = field(default_factory=dict)
    """Node → the remedy, or why none was used."""
    used: list[str] = field(default_factory=list)
    """One sentence per remedy; an output of the stack."""
    _once_paused: set[str] = field(default_factory=set)
    """Nodes whose operands were restored, or could not be."""
    _since: dict[str, tuple[str, float]] = field(default_factory=dict)
    _no_pod_since: dict[str, float] = field(default_factory=dict)
    _unreported_since: dict[str, float] = field(default_factory=dict)
    _recovering: str = ""

    def __post_init__(self) -> None:
        self._dra_plugin = DraPlugin(self.context)

    @property
    def allowed(self) -> bool:
        return self.context.wave.recovery

    def outcome(self, node: str) -> str | None:
        """The remedy of a node, or why none was used; None if it needed none."""
        return self.tried.get(node) or self._dra_plugin.notes.get(node)

    def recover(self, seen: Snapshot, found: Collection[Difference], expected: Mapping[str, Expected]) -> bool:
        """Restore paused operands, else use at most one remedy; returns whether something was done now. ``expected`` is
        by node: it decides which GPUs a restart of MIG Manager touches.
        """
        by_node: dict[str, list[Difference]] = {}
        for difference in found:
            by_node.setdefault(difference.node, []).append(difference)
        self._since = {name: since for name, since in self._since.items() if name in by_node}
        if self._restore_operands(seen, found, expected) or self._restart_dra_plugins(seen, found):
            return True
        needed = {name: self._remedy(seen.nodes.get(name), of_node) for name, of_node in sorted(by_node.items())}
        if not self.allowed or self._recovering in by_node:
            return False
        for name, remedy in needed.items():
            if remedy is None or name in self.tried:
                continue
            if self._is_applied(remedy, seen.nodes[name], expected[name]):
                self._recovering = name
                self._note(remedy, by_node[name][0])
                return True
        return False

    def _restore_operands(self, seen: Snapshot, found: Iterable[Difference], expected: Mapping[str, Expected]) -> bool:
        """Whether operands were restored now, on one or several nodes."""
        restored = False
        for why in (d for d in found if d.drift is DriftClass.OPERANDS_PAUSED and d.node not in self._once_paused):
            is_done = self._is_applied(Remedy.RESTORE_OPERANDS, seen.nodes[why.node], expected[why.node])
            if is_done or why.node in self.tried:
                self._once_paused.add(why.node)
            if is_done:
                self._note(Remedy.RESTORE_OPERANDS, why)
                restored = True
        return restored

    def _restart_dra_plugins(self, seen: Snapshot, found: Iterable[Difference]) -> bool:
        """Whether the DRA driver's plugin was restarted now, on one or several nodes; also if recovery is off."""
        restarted = self._dra_plugin.restart(seen, found) if self.context.wave.is_dra else []
        for why in restarted:
            self._note(Remedy.RESTART_DRA_PLUGIN, why)
        return bool(restarted)

    def _note(self, remedy: Remedy, why: Difference) -> None:
        self.used = sorted({*self.used, f"{why.node}: {remedy} ({why.drift})"})
        self.context.event(f"{why.node}: {remedy}, because of: {why.text}")

    def _is_applied(self, remedy: Remedy, node: Node, expected: Expected) -> bool:
        """As :meth:`_apply`; an unexpected failure is this node's, and a request that failed is tried again."""
        try:
            return self._apply(remedy, node, expected)
        except (ClusterError, Refused):
            raise
        except Exception as exc:
            self.tried[node.name] = f"not {remedy}: {describe(exc)}"
            return False

    def is_exhausted(self, difference: Difference) -> bool:
        """Whether the difference needs a remedy, and none is left or allowed."""
        if difference.drift is DriftClass.OPERANDS_PAUSED:
            return difference.node in self._once_paused
        return difference.drift in WRONG and (not self.allowed or difference.node in self.tried)

    def _remedy(self, node: Node | None, found: Iterable[Difference]) -> Remedy | None:
        """The remedy, once waiting has not been enough."""
        classes = {difference.drift for difference in found}
        if node is None:
            return None
        if classes & WRONG:
            return Remedy.RESTART_MANAGER
        if DriftClass.NOT_RECONCILED in classes and not node.state:
            return Remedy.RESTART_MANAGER if self._lasted_s(node.name, "no state") > NO_STATE_S else None
        if DriftClass.NOT_RECONCILED in classes and node.state == "pending":
            stuck = self._lasted_s(node.name, "pending") > self.context.wave.stuck_after_seconds
            return Remedy.RESTORE_AND_RESTART if stuck else None
        if DriftClass.ALLOCATABLE_STALE in classes and not self.context.wave.is_dra:
            return Remedy.RESTART_PLUGIN if self._lasted_s(node.name, "stale") > STALE_ALLOCATABLE_S else None
        self._since.pop(node.name, None)
        return None

    def _lasted_s(self, node: str, what: str) -> float:
        """Seconds for which this has been observed of a node without interruption."""
        now = time.monotonic()
        before, since = self._since.get(node, (what, now))
        self._since[node] = (what, since if before == what else now)
        return now - self._since[node][1]

    def _apply(self, remedy: Remedy, node: Node, expected: Expected) -> bool:
        """Whether the remedy was used. A refusal is recorded in its place; a missing pod is waited for, for
        :data:`NO_POD_S` seconds, and the probe's report of a failure for :data:`REPORT_S` seconds.
        """
        cluster, app = self.context.cluster(), DEVICE_PLUGIN if remedy is Remedy.RESTART_PLUGIN else MIG_MANAGER
        namespace = self.context.wave.namespace
        if is_only_adopted(self.context.wave, node):
            self.tried[node.name] = way_out(self.context.wave, remedy, node)
            return False
        if remedy is Remedy.RESTORE_OPERANDS:
            is_restored = restore_operands(cluster, node)
            invalidate()
            return is_restored
        pods = list_pods_on(self.context.wave, cluster, node.name)
        operands = pod_uids(pods, namespace, app)
        if operands:
            self._no_pod_since.pop(node.name, None)
        elif self._without_pod_s(node.name) <= NO_POD_S:
            return False
        if remedy is not Remedy.RESTART_PLUGIN and (
            other := explain_other_file(self.context.wave, cluster, pods, {node.name: node.config})
        ):
            self.tried[node.name] = f"nothing was restarted: {other}"
            return False
        affected = affected_gpus(node, expected.gpus)
        refusal = self._refusal(pods, node, affected) if operands else self._no_pod(app, node)
        if refusal and affected.whole_node and self._awaits_report(node):
            return False
        if refusal is None and remedy is not Remedy.RESTART_PLUGIN and not node.isolated:
            refusal = self._isolate(cluster, node, affected)
        if refusal:
            self.tried[node.name] = refusal
            return False
        if remedy is Remedy.RESTORE_AND_RESTART and not restore_operands(cluster, node):
            return False
        if remedy is not Remedy.RESTART_PLUGIN:
            note_attempts(self.context, [node])
            start_attempt(cluster, node, node.name, {})
        for name, uid in operands.items():
            cluster.delete_pod(namespace, name, uid)  # its DaemonSet creates it again
        self.tried[node.name] = str(remedy)
        invalidate()
        return True

    def _refusal(self, pods: Iterable[Json], node: Node, affected: AffectedGpus) -> str | None:
        """Why nothing may be restarted, if users' pods hold slices that MIG Manager would destroy."""
        losing = affected_pods(node, gpu_pods(pods, self.context.wave.namespace), affected)
        if not losing:
            return None
        scope = f"; the whole node counts: {affected.whole_node}" if affected.whole_node else ""
        reason = f"{format_affected(losing)}{scope}"
        return f"nothing was restarted, because {reason}; move them away, then run the update again"

    def _awaits_report(self, node: Node) -> bool:
        """Whether MIG Manager has finished, and the probe still has time to report what it left."""
        if node.state not in ("failed", "success") or node.has_current_report:
            return False
        now = time.monotonic()
        return now - self._unreported_since.setdefault(node.name, now) <= REPORT_S

    def _isolate(self, cluster: Cluster, node: Node, affected: AffectedGpus) -> str | None:
        """Keep new pods off. If a GPU pod arrived before that, restores scheduling and returns a refusal."""
        is_ours = isolate_node(self.context, cluster, node)
        refusal = self._refusal(list_pods_on(self.context.wave, cluster, node.name), node, affected)
        if refusal:
            restore_node(cluster, node.name)
        elif is_ours:
            announce(self.context, [node.name])
        return refusal

    def _no_pod(self, app: str, node: Node) -> str:
        see = f"see `kubectl -n {self.context.wave.namespace} get daemonset {app}`"
        return f"no pod of {app} runs there{_foreign_taints(node)}; {see}"

    def _without_pod_s(self, node: str) -> float:
        """Seconds since the operand's pod was first missing on this node."""
        now = time.monotonic()
        return now - self._no_pod_since.setdefault(node, now)


def _foreign_taints(node: Node) -> str:
    """The operands tolerate our taints and NVIDIA's, no others."""
    foreign = sorted(node.taints - {*labels.OUR_TAINTS, labels.GPU_RESOURCE})
    return f"; the node is tainted with {', '.join(foreign)}" if foreign else ""
