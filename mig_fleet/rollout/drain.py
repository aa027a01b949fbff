"""Move the users' pods off the affected GPUs of a wave's nodes: wait for them, or evict them, which respects their
disruption budgets. Pods on other GPUs of the same nodes stay.
"""

import shlex
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from mig_fleet.cluster.errors import ClusterError, ClusterUnreachable, Conflict, Forbidden, NoCredentials
from mig_fleet.failures import Refused
from mig_fleet.model.report import HEARTBEAT_S
from mig_fleet.observed.disruption_budgets import budgets_of
from mig_fleet.observed.gpus.affected import AffectedGpus
from mig_fleet.observed.gpus.pod_gpus import AffectedPod, format_affected, gpus_of
from mig_fleet.observed.gpus.pods import GpuPod, gpu_pods
from mig_fleet.observed.snapshot import Node, Snapshot
from mig_fleet.rollout.affected import Affected, Slices, affected_nodes, pods_on_affected_gpus
from mig_fleet.rollout.context import RolloutContext
from mig_fleet.rollout.isolated_nodes import IsolatedNodes
from mig_fleet.rollout.listed_pods import list_pods
from mig_fleet.rollout.preflight import in_use

EVICT_AGAIN_S = 5.0
"""Seconds between two eviction requests for a pod that its disruption budget protects."""

REPORT_WAIT_S = HEARTBEAT_S + 20
"""Seconds in which the probe must report which GPU a new pod uses; after that the pod counts as affected."""

SEVERAL_BUDGETS = "more than one PodDisruptionBudget"
"""Part of the API server's answer for a pod that it can never evict (pkg/registry/core/pod/storage/eviction.go)."""

UNNAMED_BUDGET = "a PodDisruptionBudget does not allow it"
TOO_BUSY = "the API server is too busy"
FAILED = "the API server failed: "
"""Before its answer to an eviction request, which is repeated."""


@dataclass
class Drain:
    """Moves the pods of one change; :meth:`run` may be called again, for the same nodes or for more of them."""

    context: RolloutContext
    slices: Slices
    decided: Affected
    """The affected GPUs by the snapshot on which the change was decided."""
    isolated: IsolatedNodes
    evicted: set[str] = field(default_factory=set)
    """Pods as ``namespace/name``."""
    _requested: dict[GpuPod, float] = field(default_factory=dict)
    _blocked: dict[GpuPod, str] = field(default_factory=dict)
    """Why an eviction was refused, with the name of the disruption budget, or how the API server failed."""
    _unreported_since: dict[GpuPod, float] = field(default_factory=dict)
    _proven: dict[str, frozenset[int]] = field(default_factory=dict)
    """A pod's uid → its GPUs, as a report proved them: a pod keeps its GPUs as long as it lives."""
    _lost_since: dict[str, float] = field(default_factory=dict)
    """Node → when its report stopped to prove which of its GPUs change."""

    def run(self, nodes: Iterable[str]) -> None:
        """Wait until no user's pod is left on the affected GPUs of the nodes.

        Raises :class:`Refused` for pods that may not be moved, or that are still there at the deadline, and if a node's
        report no longer proves which GPUs are affected.
        """
        draining, context = set(nodes), self.context
        while True:
            remaining = context.retry_in_time(lambda: self._remaining(draining))
            self._note_lost_answers(remaining)
            if not remaining:
                moved = f"evicted {', '.join(sorted(self.evicted))}"
                context.finish_progress(moved if self.evicted else "no pod is left on the affected GPUs")
                return
            if context.is_late:
                raise Refused(self._reasons(remaining))
            context.progress(self._progress(remaining))
            if context.wave.on_user_pods == "evict":
                self._evict([it.pod for it in remaining if not self._awaits_report(it)])
            context.sleep()

    def remember(self, seen: Snapshot, pods: Iterable[GpuPod]) -> None:
        """Note the GPUs of pods that a snapshot proves."""
        for pod in pods:
            if indexes := gpus_of(pod, seen.nodes.get(pod.node)).indexes:
                self._proven[pod.uid] = indexes

    def _remaining(self, draining: set[str]) -> list[AffectedPod]:
        """The pods on affected GPUs; raises :class:`Refused` for those that may not be moved."""
        pods = gpu_pods(list_pods(self.context.wave, self.context.cluster()), self.context.wave.namespace)
        pods = [pod for pod in pods if pod.node in draining]
        if not pods:
            return []
        seen, affected = self._affected({pod.node for pod in pods})
        losing = self.losing(seen, pods, affected)
        self.remember(seen, pods)
        blocking = []
        for node, of_node in losing.items():
            self._note_lost_report(seen.nodes.get(node), node, affected[node])
            known = [it for it in of_node if not self._awaits_report(it)]
            blocking += in_use(self.context.wave, node, known, affected[node])
        if blocking:
            raise Refused("; ".join(blocking))
        return [it for of_node in losing.values() for it in of_node]

    def losing(self, seen: Snapshot, pods: Iterable[GpuPod], affected: Affected) -> dict[str, list[AffectedPod]]:
        """Node → the pods that lose slices or may lose them, without those that an earlier report proved to be on other
        GPUs, although the kubelet is silent now.
        """

        def stays(it: AffectedPod) -> bool:
            proven = self._proven.get(it.pod.uid, frozenset())
            return bool(proven) and not it.every_gpu and not proven & affected[it.pod.node].indexes

        losing = pods_on_affected_gpus(seen, pods, affected)
        found = {node: [it for it in of_node if not stays(it)] for node, of_node in losing.items()}
        return {node: of_node for node, of_node in found.items() if of_node}

    def _affected(self, nodes: set[str]) -> tuple[Snapshot, Affected]:
        """The affected GPUs now. Where all GPUs of the nodes change, no report is read: it does not matter which one a
        pod has.
        """
        decided = {name: self.decided[name] for name in nodes}
        if all(it.every_gpu and not it.whole_node for it in decided.values()):
            return Snapshot(), decided
        seen = self.context.observe()
        return seen, affected_nodes(seen, {name: self.slices[name] for name in nodes})

    def _note_lost_report(self, found: Node | None, node: str, affected: AffectedGpus) -> None:
        """A report that proved which GPUs change, and no longer does, must not move more pods than were planned: raises
        :class:`Refused` if the next one does not come either. While MIG Manager is at work, no probe reports.
        """
        now = time.monotonic()
        if not affected.whole_node or self.decided[node].whole_node:
            self._lost_since.pop(node, None)
        elif now - self._lost_since.setdefault(node, now) > REPORT_WAIT_S:
            raise Refused(f"it is not known any more which GPUs of node '{node}' change: {affected.whole_node}")
        elif found is not None and found.state == "pending":
            self._lost_since[node] = now

    def _awaits_report(self, it: AffectedPod) -> bool:
        """Whether the pod may be on another GPU, and the probe still has time to report that."""
        if it.pod.node in self._lost_since:
            return True
        if it.every_gpu or not it.gpus.awaits_report:
            return False
        now = time.monotonic()
        return now - self._unreported_since.setdefault(it.pod, now) < REPORT_WAIT_S

    def _evict(self, pods: Iterable[GpuPod]) -> None:
        now = time.monotonic()
        due = [
            it for it in pods if not it.terminating and now - self._requested.get(it, -EVICT_AGAIN_S) >= EVICT_AGAIN_S
        ]
        if not due:
            return
        # On a node that is not isolated any more, an evicted pod may start again at once.
        self.isolated.put_back(self.context.retry_in_time(self.context.observe), {it.node for it in due})
        cluster = self.context.cluster()
        for pod in due:
            self.context.stop_if_interrupted()
            self._requested[pod] = time.monotonic()
            try:
                refusal = cluster.evict(pod.namespace, pod.name, pod.uid)
            except (Forbidden, NoCredentials):
                raise
            except Conflict:
                continue  # the pod has left; the next round looks at the one that has its name now
            except ClusterError as exc:
                if SEVERAL_BUDGETS in str(exc):
                    raise Refused(self._several_budgets(pod)) from None
                self._blocked[pod] = f"{FAILED}{exc}"
                if isinstance(exc, ClusterUnreachable):
                    return  # the others would wait as long, one after the other
                continue
            if refusal is None:
                self.evicted.add(f"{pod.namespace}/{pod.name}")
                self._blocked.pop(pod, None)
            elif refusal:
                self._blocked[pod] = refusal.replace("The disruption budget", "PodDisruptionBudget")
            else:
                budgets = self._budgets(pod)
                named = f"PodDisruptionBudget {', '.join(budgets)} does not allow it" if budgets else TOO_BUSY
                self._blocked[pod] = UNNAMED_BUDGET if budgets is None else named

    def _note_lost_answers(self, remaining: Iterable[AffectedPod]) -> None:
        """A pod that leaves after a request without an answer was evicted: the request arrived."""
        staying = {it.pod.uid for it in remaining if not it.pod.terminating}
        for pod in [it for it, reason in self._blocked.items() if reason.startswith(FAILED) and it.uid not in staying]:
            self.evicted.add(f"{pod.namespace}/{pod.name}")
            del self._blocked[pod]

    def _several_budgets(self, pod: GpuPod) -> str:
        budgets = self._budgets(pod) or [f"see `kubectl -n {shlex.quote(pod.namespace)} get poddisruptionbudgets`"]
        return f"not evicted: {pod}, because {SEVERAL_BUDGETS} selects it: {', '.join(budgets)}"

    def _budgets(self, pod: GpuPod) -> list[str] | None:
        """The budgets that select a pod, for an answer that names none; ``None`` if they may not be listed."""
        try:
            return budgets_of(pod.labels, self.context.cluster().disruption_budgets(pod.namespace))
        except ClusterError:
            return None

    def _progress(self, remaining: list[AffectedPod]) -> str:
        awaited = [it for it in remaining if self._awaits_report(it)]
        blocked = [it for it in remaining if it.pod in self._blocked]
        first, *_ = blocked or [it for it in remaining if it not in awaited] or remaining
        text = f"waits for {len(remaining)} pod(s) to leave: {first}"
        if blocked:
            text += f"; not evicted yet: {self._blocked[first.pod]}"
        elif len(awaited) == len(remaining):
            text = f"waits for the probe on {first.pod.node} to report which GPU this pod uses: {first.pod}"
        gone = sorted(self.evicted - {f"{it.pod.namespace}/{it.pod.name}" for it in remaining})
        return text + (f"; evicted so far: {', '.join(gone)}" if gone else "")

    def _reasons(self, remaining: list[AffectedPod]) -> str:
        """Why pods are still there after the timeout."""
        timeout = f"{self.context.wave.timeout_seconds:.0f} s"
        terminating = [it for it in remaining if it.pod.terminating]
        blocked = [it for it in remaining if not it.pod.terminating and it.pod in self._blocked]
        others = [it for it in remaining if it not in (*terminating, *blocked)]
        parts = []
        if terminating:
            pod = terminating[0].pod
            parts.append(
                f"still terminating after {timeout}: {format_affected(terminating)}; see why with `kubectl -n "
                f"{shlex.quote(pod.namespace)} describe pod {shlex.quote(pod.name)}`"
            )
        if blocked:
            reasons = dict.fromkeys(self._blocked[it.pod] for it in blocked)
            by_budget = any(not reason.startswith(FAILED) for reason in reasons)
            namespace = shlex.quote(blocked[0].pod.namespace)
            see = f"; see `kubectl -n {namespace} get poddisruptionbudgets`" if by_budget else ""
            parts.append(f"not evicted within {timeout}: {format_affected(blocked)}, because {'; '.join(reasons)}{see}")
        if others:
            parts.append(f"still running after {timeout}: {format_affected(others)}")
        return "; ".join(parts)
