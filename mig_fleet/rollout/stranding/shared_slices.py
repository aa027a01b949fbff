"""The slices that each pod needs for itself, where several pods use one ResourceClaim. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from mig_fleet.observed.gpus.pods import GpuPod


def with_own_slices(pods: Iterable[GpuPod]) -> list[GpuPod]:
    """The pods that are not terminating, with each device at the first pod that has it: one slice serves all pods of
    its claim, here and after a change. A device that is not published any more counts at none, because its kind is not
    known. A pod without a slice of its own is left out.
    """
    known, found = set[tuple[str, str]](), list[GpuPod]()
    for pod in pods:
        if pod.terminating:
            continue
        others = [it for it in pod.devices if it.device is None or (it.pool, it.name) in known]
        known |= {(it.pool, it.name) for it in pod.devices}
        own = Counter(pod.resources) - Counter(it.resource for it in others)
        if own:
            found.append(replace(pod, resources=dict(own)) if others else pod)
    return found
