"""Get the users' pods off a wave's nodes: by waiting for them, or by the Eviction API, which respects their budgets."""

import time
from collections.abc import Iterable

from mig_fleet.cluster.client import Cluster
from mig_fleet.failures import Refused
from mig_fleet.observed.gpu_pods import Holder, holders
from mig_fleet.rollout.context import POLL_S, Order
from mig_fleet.rollout.preflight import by_node, in_use, named

ASK_AGAIN_S = 5.0
"""Between two requests for the eviction of a pod that its disruption budget protects."""


def drain(order: Order, nodes: Iterable[str]) -> list[str]:
    """Returns once no user's pod holds a slice of the nodes; what was evicted, as ``namespace/name``.

    Raises :class:`Refused` when pods are there that may not be moved, or that are still there at the deadline.
    """
    wanted = set(nodes)
    cluster = order.cluster()
    evicted: set[str] = set()
    asked: dict[Holder, float] = {}
    while True:
        left = [holder for holder in holders(cluster.pods(), order.namespace) if holder.node in wanted]
        if not left:
            return sorted(evicted)
        immovable = [text for node, held in sorted(by_node(left).items()) for text in in_use(order, node, held)]
        if immovable:
            raise Refused("; ".join(immovable))
        if order.late:
            raise Refused(_stuck(order, left))
        order.say(f"waits for {len(left)} pod(s) to leave: {named(left[:1])}")
        if order.on_user_pods == "evict":
            evicted |= _evict(cluster, left, asked)
        time.sleep(POLL_S)


def _evict(cluster: Cluster, left: list[Holder], asked: dict[Holder, float]) -> set[str]:
    done = set()
    for holder in left:
        if holder.leaving or time.monotonic() - asked.get(holder, -ASK_AGAIN_S) < ASK_AGAIN_S:
            continue
        asked[holder] = time.monotonic()
        if cluster.evict(holder.namespace, holder.name):
            done.add(f"{holder.namespace}/{holder.name}")
    return done


def _stuck(order: Order, left: list[Holder]) -> str:
    """Why they are still there, by kind."""
    leaving = [holder for holder in left if holder.leaving]
    staying = [holder for holder in left if not holder.leaving]
    parts = []
    if leaving:
        parts.append(
            f"still terminating after {order.timeout_s:.0f} s: {named(leaving)}; see why with `kubectl -n "
            f"{leaving[0].namespace} describe pod {leaving[0].name}`"
        )
    if staying and order.on_user_pods == "evict":
        parts.append(
            f"not evicted within {order.timeout_s:.0f} s, because a PodDisruptionBudget does not allow it: "
            f"{named(staying)}; see `kubectl -n {staying[0].namespace} get poddisruptionbudgets`"
        )
    elif staying:
        parts.append(f"still running after {order.timeout_s:.0f} s: {named(staying)}")
    return "; ".join(parts)
