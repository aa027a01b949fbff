"""Move the users' pods off a wave's nodes: wait for them, or evict them, which respects their disruption budgets."""

import time
from collections.abc import Iterable

from mig_fleet.cluster.client import Cluster
from mig_fleet.failures import Refused
from mig_fleet.observed.gpu_pods import GpuPod, by_node, format_pods, gpu_pods
from mig_fleet.rollout.context import POLL_S, RolloutContext
from mig_fleet.rollout.preflight import in_use

EVICT_AGAIN_S = 5.0
"""Seconds between two eviction requests for a pod that its disruption budget protects."""


def drain(context: RolloutContext, nodes: Iterable[str]) -> list[str]:
    """Wait until no user's pod holds a slice of the nodes; returns the evicted pods as ``namespace/name``.

    Raises :class:`Refused` for pods that may not be moved, or that are still there at the deadline.
    """
    draining = set(nodes)
    cluster = context.cluster()
    evicted: set[str] = set()
    requested: dict[GpuPod, float] = {}
    while True:
        remaining = [pod for pod in gpu_pods(cluster.pods(), context.wave.namespace) if pod.node in draining]
        if not remaining:
            return sorted(evicted)
        blocking = [
            text for node, held in sorted(by_node(remaining).items()) for text in in_use(context.wave, node, held)
        ]
        if blocking:
            raise Refused("; ".join(blocking))
        if context.is_late:
            raise Refused(_reasons(context, remaining))
        context.progress(f"waits for {len(remaining)} pod(s) to leave: {format_pods(remaining[:1])}")
        if context.wave.on_user_pods == "evict":
            evicted |= _evict(cluster, remaining, requested)
        time.sleep(POLL_S)


def _evict(cluster: Cluster, remaining: list[GpuPod], requested: dict[GpuPod, float]) -> set[str]:
    done = set()
    for pod in remaining:
        if pod.terminating or time.monotonic() - requested.get(pod, -EVICT_AGAIN_S) < EVICT_AGAIN_S:
            continue
        requested[pod] = time.monotonic()
        if cluster.evict(pod.namespace, pod.name):
            done.add(f"{pod.namespace}/{pod.name}")
    return done


def _reasons(context: RolloutContext, remaining: list[GpuPod]) -> str:
    """Why pods are still there after the timeout."""
    timeout = f"{context.wave.timeout_seconds:.0f} s"
    terminating = [pod for pod in remaining if pod.terminating]
    staying = [pod for pod in remaining if not pod.terminating]
    parts = []
    if terminating:
        parts.append(
            f"still terminating after {timeout}: {format_pods(terminating)}; see why with `kubectl -n "
            f"{terminating[0].namespace} describe pod {terminating[0].name}`"
        )
    if staying and context.wave.on_user_pods == "evict":
        parts.append(
            f"not evicted within {timeout}, because a PodDisruptionBudget does not allow it: "
            f"{format_pods(staying)}; see `kubectl -n {staying[0].namespace} get poddisruptionbudgets`"
        )
    elif staying:
        parts.append(f"still running after {timeout}: {format_pods(staying)}")
    return "; ".join(parts)
