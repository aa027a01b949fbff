"""What may be done for a node that NVIDIA's tools left wrong: one remedy per node, one node at a time, or none at all.

A rollback is a change of its own, to another config, and may help each node once more.

==========================  =======================================  ============================================
what was seen               remedy                                   why it is needed
==========================  =======================================  ============================================
`failed`, or `success`      MIG Manager's pod on the node is         it reacts to a changed label *value* and to its
with the wrong slices       started over, with the same config       own start, and never retries (gpu-operator #2874)
no state for minutes        the same                                 an update that was killed between the two writes
                                                                     of this remedy leaves none
`pending` without an end    the operands it had paused are let       an error while it waits for them leaves `pending`
                            back, then its pod is started over       for good (gpu-operator #2833, mig-parted #485)
slices right, allocatable   the device plugin's pod on the node      it registers once, when it starts
not                         is started over                          (k8s-device-plugin #214, gpu-operator #637)
==========================  =======================================  ============================================

Nothing is done while users' pods hold slices of the node, and none may come while MIG Manager works: the node is closed
first, and the update that ends well opens it. The first remedy that does not help is the last one.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.connection import Json
from mig_fleet.model import labels
from mig_fleet.observed.differences import Difference, Kind
from mig_fleet.observed.gpu_pods import holders
from mig_fleet.observed.snapshot import Look, Node, forget
from mig_fleet.rollout.context import Order
from mig_fleet.rollout.isolation import shut
from mig_fleet.rollout.preflight import MANAGER_APP, named

PLUGIN_APP = "nvidia-device-plugin-daemonset"
"""Label ``app`` of the device plugin's pods (gpu-operator v26.7.0)."""

WRONG = frozenset({Kind.FAILED, Kind.LOST, Kind.DESTROYED, Kind.FOREIGN})

STALE_S = 60.0
"""The device plugin registers within seconds of its start, which its init containers may hold up for some more."""

ALONE_S = 30.0
"""A DaemonSet brings a pod that is gone back within seconds."""

UNHEARD_S = 120.0
"""MIG Manager answers a config with a state within seconds; two minutes are a pod that had to be scheduled first."""


class Remedy(StrEnum):
    """What was done, as the stack's outputs and errors say it."""

    START_OVER = "MIG Manager was started over"
    RESTORE = "paused operands were let back and MIG Manager was started over"
    PLUGIN = "the device plugin was started over"


@dataclass
class Recovery:
    """The remedies of one verification; bounded by the number of its nodes."""

    order: Order
    allowed: bool = True
    tried: dict[str, str] = field(default_factory=dict)
    """Node → what was done for it, or why nothing was."""
    helped: list[str] = field(default_factory=list)
    """One sentence per remedy that was used; an output of the stack."""
    _since: dict[str, tuple[str, float]] = field(default_factory=dict)
    _alone_since: dict[str, float] = field(default_factory=dict)
    _busy: str = ""

    def help(self, seen: Look, found: Iterable[Difference]) -> bool:
        """Use at most one remedy on what was found; whether one was used now."""
        by_node: dict[str, list[Difference]] = {}
        for difference in found:
            by_node.setdefault(difference.node, []).append(difference)
        self._since = {name: since for name, since in self._since.items() if name in by_node}
        needed = {name: self._remedy(seen.nodes.get(name), of_node) for name, of_node in sorted(by_node.items())}
        if not self.allowed or self._busy in by_node:
            return False
        for name, remedy in needed.items():
            if remedy is None or name in self.tried:
                continue
            if self._apply(remedy, seen.nodes[name]):
                why = by_node[name][0]
                self._busy = name
                self.helped = sorted({*self.helped, f"{name}: {remedy} ({why.kind})"})
                self.order.say(f"{name}: {remedy}, because of: {why.text}")
                return True
        return False

    def is_over(self, difference: Difference) -> bool:
        """Whether nothing can be hoped for any more: the kind needs help, and there was some, or there may be none."""
        return difference.kind in WRONG and (not self.allowed or difference.node in self.tried)

    def _remedy(self, node: Node | None, found: Iterable[Difference]) -> Remedy | None:
        """What would help, once it is clear that patience does not."""
        kinds = {difference.kind for difference in found}
        if node is None:
            return None
        if kinds & WRONG:
            return Remedy.START_OVER
        if Kind.UNSETTLED in kinds and not node.state:
            return Remedy.START_OVER if self._lasted(node.name, "unheard") > UNHEARD_S else None
        if Kind.UNSETTLED in kinds and node.state == "pending":
            return Remedy.RESTORE if self._lasted(node.name, "pending") > self.order.wedged_s else None
        if Kind.ALLOCATABLE in kinds:
            return Remedy.PLUGIN if self._lasted(node.name, "stale") > STALE_S else None
        self._since.pop(node.name, None)
        return None

    def _lasted(self, node: str, what: str) -> float:
        """Seconds for which this was seen of a node without a break."""
        now = time.monotonic()
        before, since = self._since.get(node, (what, now))
        self._since[node] = (what, since if before == what else now)
        return now - self._since[node][1]

    def _apply(self, remedy: Remedy, node: Node) -> bool:
        """Whether a remedy was used. Where users' pods forbid it, or nobody is there to carry it out, that is noted as
        all that was tried; a pod that is being scheduled gets its time.
        """
        cluster, app = self.order.cluster(), PLUGIN_APP if remedy is Remedy.PLUGIN else MANAGER_APP
        pods = cluster.pods_on(node.name)
        operands = _running(pods, self.order.namespace, app)
        if operands:
            self._alone_since.pop(node.name, None)
        elif self._alone(node.name) <= ALONE_S:
            return False
        refusal = self._refusal(pods) if operands else self._nobody(app, node)
        if refusal is None and remedy is not Remedy.PLUGIN and not node.closed:
            refusal = self._closed(cluster, node)
        if refusal:
            self.tried[node.name] = refusal
            return False
        if remedy is Remedy.RESTORE:
            cluster.patch_node(node.name, _let_back(node), {})
        if remedy is not Remedy.PLUGIN:
            cluster.start_attempt(node.name, node.attempt, {})
        _delete(cluster, self.order.namespace, operands)
        self.tried[node.name] = str(remedy)
        forget()
        return True

    def _refusal(self, pods: Iterable[Json]) -> str | None:
        """Why not, where users' pods hold slices."""
        held = holders(pods, self.order.namespace)
        if not held:
            return None
        return f"nothing was started over, because {named(held)}; move them away, then run the update again"

    def _closed(self, cluster: Cluster, node: Node) -> str | None:
        """Keep new pods away; why not, where one came before that, and then the node is open again."""
        shut(self.order, cluster, node.name)
        refusal = self._refusal(cluster.pods_on(node.name))
        if refusal:
            cluster.open(node.name)
        return refusal

    def _nobody(self, app: str, node: Node) -> str:
        see = f"see `kubectl -n {self.order.namespace} get daemonset {app}`"
        return f"no pod of {app} runs there{_kept_away(node)}; {see}"

    def _alone(self, node: str) -> float:
        """Seconds for which nobody was there who could have helped this node."""
        now = time.monotonic()
        return now - self._alone_since.setdefault(node, now)


def _running(pods: Iterable[Json], namespace: str, app: str) -> list[str]:
    return [
        pod["metadata"]["name"]
        for pod in pods
        if pod["metadata"]["namespace"] == namespace and (pod["metadata"].get("labels") or {}).get("app") == app
    ]


def _kept_away(node: Node) -> str:
    """The operands tolerate our taints and NVIDIA's, nobody else's."""
    foreign = sorted(node.taints - {*labels.OUR_TAINTS, labels.GPU_RESOURCE})
    return f"; the node is tainted with {', '.join(foreign)}" if foreign else ""


def _let_back(node: Node) -> dict[str, str | None]:
    """The operands' labels as they were before MIG Manager paused them."""
    return {
        name: "true"
        for name, value in node.labels.items()
        if name.startswith(labels.DEPLOY_PREFIX) and value == labels.PAUSED
    }


def _delete(cluster: Cluster, namespace: str, pods: Iterable[str]) -> None:
    """Their DaemonSet starts them again."""
    for name in pods:
        cluster.delete_pod(namespace, name)
