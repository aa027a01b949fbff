"""Pods with GPU resources that a change left unscheduled: printed at its end, with what each of them lacks.

Which pods were unscheduled before is kept in memory, from the assignment of a wave to its verification: one provider
process serves both. If it is not known, as after an update that was killed in between, every unscheduled pod counts.
"""

import shlex
from collections.abc import Iterable

from mig_fleet.cluster.connection import Json
from mig_fleet.cluster.errors import ClusterError
from mig_fleet.failures import Refused
from mig_fleet.observed.gpus.pods import LISTED_PODS, GpuPod, gpu_pods
from mig_fleet.rollout.context import RolloutContext
from mig_fleet.rollout.listed_pods import list_pods
from mig_fleet.rollout.stranding.scheduler_message import is_gated, scheduler_message
from mig_fleet.rollout.stranding.stranded_pods import StrandedPod, waiting_pods

SCHEDULING_S = 15.0
"""Seconds for pods that find a free slice: the scheduler waits up to ten seconds before it tries a pod again
(kubernetes, podMaxBackoffSeconds)."""

_before: dict[str, frozenset[GpuPod]] = {}


def record_unscheduled(context: RolloutContext, pods: Iterable[Json]) -> None:
    """Remember the pods that are not scheduled before the wave is changed."""
    found = gpu_pods(pods, context.wave.namespace)
    _before[context.wave.wave] = frozenset(pod for pod in found if not pod.node)


def report_pending(context: RolloutContext) -> None:
    """Print the pods that are not scheduled now and were before; pods that find a free slice get :data:`SCHEDULING_S`.

    It never fails: the wave is verified.
    """
    before = _before.pop(context.wave.wave, frozenset())
    until = context.elapsed_s + SCHEDULING_S
    try:
        while True:
            found, may_be_scheduled = _new(context, before)
            if not may_be_scheduled or context.elapsed_s >= until:
                break
            context.progress(f"waits until the scheduler has placed {len(may_be_scheduled)} pod(s)")
            context.sleep()
    except (ClusterError, Refused) as exc:
        context.event(f"it is not known whether pods are Pending: {exc}")
        return
    if found:
        context.event(_format(found))
    else:
        context.finish_progress("every pod with GPU resources is scheduled")


def _new(context: RolloutContext, before: frozenset[GpuPod]) -> tuple[list[StrandedPod], list[GpuPod]]:
    """The unscheduled pods that were not unscheduled before, and those of them that find a free slice."""
    seen, pods = context.observe(), list_pods(context.wave, context.cluster())
    specs = {(pod["metadata"]["namespace"], pod["metadata"]["name"]): pod for pod in pods}
    reasons = {
        pod: reason
        for pod, reason in waiting_pods(seen, pods, context.wave.namespace).items()
        if pod not in before and not is_gated(specs[pod.namespace, pod.name])
    }
    found = [
        StrandedPod(pod, reason or scheduler_message(specs[pod.namespace, pod.name]) or "it is not scheduled yet")
        for pod, reason in sorted(reasons.items())
    ]
    return found, [pod for pod, reason in reasons.items() if not reason]


def _format(found: list[StrandedPod]) -> str:
    first = found[0].pod
    number = "1 pod is" if len(found) == 1 else f"{len(found)} pods are"
    more = f"; and {len(found) - LISTED_PODS} more" if len(found) > LISTED_PODS else ""
    listed = "; ".join(f"{each}: {each.reason}" for each in found[:LISTED_PODS])
    command = shlex.join(("kubectl", "-n", first.namespace, "describe", "pod", first.name))
    return f"{number} Pending since this change: {listed}{more}; see `{command}`"
