"""Pods that would find no slice after a change."""

from mig_fleet.rollout.stranding.check import WAYS_OUT
from tests.faults.fault import Fault, Outcome
from tests.faults.scenario import NEW, POOL
from tests.faults.table.pods import EVICT, LOSES_SLICE, delete_pods
from tests.faults.table.texts import POD, refused

WITHOUT_SLICE = (
    f"{POD} (Deployment notebook) runs on node-1 and requests mig-1g.10gb",
    "0/4 nodes fit: 2 not matching its node selector, 2 without mig-1g.10gb",
)
LISTED = tuple(f"podsUnschedulable: {line}" for line in WITHOUT_SLICE)

STRANDING = [
    Fault(
        "an evicted pod that would find no slice",
        "the default is `onStrandedPods: refuse`: the pod may only run on a node that will not offer its slices",
        lambda run: run.run_pod("node-1", owner="Deployment"),
        Outcome.REFUSED,
        written=(),
        preview=(
            *LOSES_SLICE,
            *LISTED,
            "podsUnschedulable: train-wave-00 will be refused (onStrandedPods: refuse)",
            f"podsUnschedulable: {WAYS_OUT}",
        ),
        error=refused("1 pod would find no slice on any node where it may run:", *WITHOUT_SLICE, WAYS_OUT),
        rollout=EVICT,
        fix="the pod is moved away",
        apply_fix=delete_pods,
        target=NEW,
    ),
    Fault(
        "an evicted pod that finds no slice, with `onStrandedPods: warn`",
        "the update goes on, and its last line names the Pending pod",
        lambda run: run.run_pod("node-1", owner="Deployment"),
        Outcome.SUCCEEDED,
        written=POOL,
        preview=(*LOSES_SLICE, *LISTED),
        rollout={**EVICT, "on_stranded_pods": "warn", "timeout_seconds": 20},
        apply_fix=delete_pods,
        target=NEW,
    ),
]
