"""What the scheduler last reported about an unscheduled pod, and whether slices are what the pod lacks. Pure."""

from typing import Final

from mig_fleet.cluster.connection import Json
from mig_fleet.foreign_text import printable
from mig_fleet.observed.dra.claims import AWAITED

LONGEST_MESSAGE: Final = 1000
"""Characters of a message of the scheduler, which lists each reason with its number of nodes."""

TEMPORARY: Final = ("Insufficient nvidia.com/", "untolerated taint", "were unschedulable")
"""Parts of the scheduler's message for a pod that may be scheduled in a moment: too few slices, perhaps our taint,
perhaps our cordon (kubernetes v1.37, pkg/scheduler/framework/plugins: noderesources, tainttoleration,
nodeunschedulable)."""

NOT_ALLOCATED: Final = "cannot allocate all claims"
"""The same of a pod whose claims find too few devices (kubernetes v1.37, pkg/scheduler/framework/plugins:
dynamicresources). The message does not say which claim, so it counts for pods that claim slices and nothing else."""


def is_gated(pod: Json) -> bool:
    """Whether the scheduler does not consider the pod yet: a controller has not removed its scheduling gates."""
    return bool(pod["spec"].get("schedulingGates"))


def scheduler_message(pod: Json) -> str:
    """Why the scheduler could not place the pod when it last tried; empty if it has not tried."""
    conditions = pod.get("status", {}).get("conditions") or []
    failed = (it for it in conditions if it.get("type") == "PodScheduled" and it.get("status") == "False")
    return printable(" ".join(it.get("message") or "" for it in failed), LONGEST_MESSAGE)


def waits_for_slices(pod: Json) -> bool:
    """Whether slices are what an unscheduled pod lacks, as the scheduler last reported; true if it has not yet."""
    message, awaited = scheduler_message(pod), pod.get(AWAITED)
    temporary = (*TEMPORARY, NOT_ALLOCATED) if awaited and awaited.is_all else TEMPORARY
    return not is_gated(pod) and (not message or any(text in message for text in temporary))
