"""Pods that hold slices of a node that is to be reconfigured."""

from tests.faults.fault import Fault, Outcome
from tests.faults.fault_run import EVICTION, ISOLATE, FaultRun
from tests.faults.scenario import FEWER, FIRST_WAVE, OLD, POOL, RENAMED
from tests.faults.table.allocations import run_pod
from tests.faults.table.texts import KEPT, OWNED_POD, POD_WITHOUT_OWNER, SCHEDULING_RESTORED, differs, refused

APP = "app.kubernetes.io/name"
EVICT = {"on_user_pods": "evict", "timeout_seconds": 3}
WAIT = {"on_user_pods": "wait", "timeout_seconds": 3}
LOSES_SLICE = (f"podsLosingSlices: node-1: {OWNED_POD}",)
WITHOUT_OWNER_LOSES_SLICE = (f"podsLosingSlices: node-1: {POD_WITHOUT_OWNER}",)
AGENT = "default/node-agent-x2x7k (DaemonSet node-agent) holds 1x mig-1g.10gb"


def delete_pods(run: FaultRun) -> None:
    run.delete_pods()


def run_protected_pod(run: FaultRun) -> None:
    run.run_pod("node-1", owner="Deployment")
    run.fleet.user_pods.protect({APP: "notebook"})


def run_pod_protected_for_a_while(run: FaultRun) -> None:
    run_protected_pod(run)
    budget = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/guard"
    run.api.when("POST", EVICTION, lambda: run.fleet.call("delete", budget), skip=1)


def start_pod_before_isolation(run: FaultRun) -> None:
    """After the product has listed the pods, and before its taint is there."""
    run.before_write(ISOLATE, "node-1", lambda: run.run_pod("node-1"))


def run_pod_with_two_budgets(run: FaultRun) -> None:
    run_protected_pod(run)
    path, selector = "/apis/policy/v1/namespaces/default/poddisruptionbudgets", {"matchLabels": {APP: "notebook"}}
    spec = {"minAvailable": 0, "selector": selector}
    body = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "second"}, "spec": spec}
    run.fleet.call("create", path, body)


def run_pods_everywhere(run: FaultRun) -> None:
    for node in POOL:
        run.run_pod(node, name=f"notebook-{node}", owner="Deployment")
    run.run_pod("node-1", name="node-agent", owner="DaemonSet")
    run.run_pod("node-2")


def destroy_slice(run: FaultRun, gpu: int) -> None:
    """After a pod on node-1 has a slice of GPU 0."""
    run_pod(run)
    run.change_driver("node-1", lambda driver: driver.gpus[gpu].destroy(driver.gpus[gpu].instances[-1].id))
    run.wait_for_report("node-1", lambda report: report.counts()[gpu] == {"1g.10gb": 6})


def switch_mig_off_beside_pod(run: FaultRun) -> None:
    run_pod(run)
    run.change_driver("node-1", lambda driver: driver.gpus[1].set_mode(False))
    run.wait_for_report("node-1", lambda report: report.counts()[1] is None)


PODS = [
    Fault(
        "a pod uses a slice",
        "the default is `onUserPods: refuse`: no pod is evicted",
        lambda run: run.run_pod("node-1", owner="Deployment"),
        Outcome.REFUSED,
        written=(),
        preview=LOSES_SLICE,
        error=refused(f"node 'node-1' is in use: {OWNED_POD}; move them away, or choose onUserPods: wait or evict"),
        fix="the pod is moved away",
        apply_fix=delete_pods,
        target=FEWER,
    ),
    Fault(
        "a pod that does not end in time",
        "`onUserPods: wait`, and the pod continues to run",
        lambda run: run.run_pod("node-1"),
        Outcome.REFUSED,
        written=FIRST_WAVE,
        preview=WITHOUT_OWNER_LOSES_SLICE,
        error=(f"no node was relabelled: still running after N s: {POD_WITHOUT_OWNER}", SCHEDULING_RESTORED),
        rollout=WAIT,
        fix="the pod has ended",
        apply_fix=delete_pods,
        target=FEWER,
    ),
    Fault(
        "a disruption budget that never allows the eviction",
        "`onUserPods: evict`, and a PodDisruptionBudget that allows no disruption",
        run_protected_pod,
        Outcome.REFUSED,
        written=FIRST_WAVE,
        preview=LOSES_SLICE,
        error=(
            f"no node was relabelled: not evicted within N s: {OWNED_POD}, because PodDisruptionBudget guard needs 1 "
            "healthy pods and has 1 currently; see `kubectl -n default get poddisruptionbudgets`",
            SCHEDULING_RESTORED,
        ),
        rollout=EVICT,
        fix="the budget allows the disruption",
        apply_fix=delete_pods,
        target=FEWER,
    ),
    Fault(
        "a disruption budget that allows the eviction later",
        "another replica became ready",
        run_pod_protected_for_a_while,
        Outcome.SUCCEEDED,
        written=POOL,
        preview=LOSES_SLICE,
        rollout={**EVICT, "timeout_seconds": 20},
        apply_fix=delete_pods,
        target=FEWER,
    ),
    Fault(
        "a pod that stays in Terminating",
        "it is evicted, but its kubelet never confirms the deletion (kubernetes#51835 and many others)",
        lambda run: run.run_pod("node-1", owner="Deployment", never_stops=True),
        Outcome.REFUSED,
        written=FIRST_WAVE,
        preview=LOSES_SLICE,
        error=(
            f"no node was relabelled: still terminating after N s: {OWNED_POD}; see why with "
            "`kubectl -n default describe pod notebook-7d4b9c6f5-x2x7k`",
            "evicted before that: default/notebook-7d4b9c6f5-x2x7k",
            SCHEDULING_RESTORED,
        ),
        rollout=EVICT,
        fix="the pod is deleted by force",
        apply_fix=delete_pods,
        target=FEWER,
    ),
    Fault(
        "a pod that starts before the node is isolated",
        "the scheduler binds it after the pods were listed and before the taint is there",
        start_pod_before_isolation,
        Outcome.REFUSED,
        written=FIRST_WAVE,
        error=(
            f"no node was relabelled: node 'node-1' is in use: {POD_WITHOUT_OWNER}; move them away, or choose "
            "onUserPods: wait or evict",
            SCHEDULING_RESTORED,
        ),
        fix="the pod is moved away",
        apply_fix=delete_pods,
        target=FEWER,
    ),
    Fault(
        "a pod of a DaemonSet",
        "after an eviction its DaemonSet would create it again on the same node",
        lambda run: run.run_pod("node-1", name="node-agent", owner="DaemonSet"),
        Outcome.REFUSED,
        written=(),
        preview=(f"podsLosingSlices: node-1: {AGENT}",),
        error=refused(
            "node 'node-1' is in use by pods of a DaemonSet, which would create them again at once: "
            f"{AGENT}; keep that DaemonSet off the node, for example with its nodeSelector"
        ),
        rollout=EVICT,
        fix="the DaemonSet is kept off the node",
        apply_fix=delete_pods,
        target=FEWER,
    ),
    Fault(
        "a pod without an owner",
        "no controller would create it again, so it is not evicted",
        lambda run: run.run_pod("node-1"),
        Outcome.REFUSED,
        written=(),
        preview=WITHOUT_OWNER_LOSES_SLICE,
        error=refused(
            f"node 'node-1' is in use by pods that no controller would create again: {POD_WITHOUT_OWNER}; delete them "
            "yourself, or choose onUserPods: wait"
        ),
        rollout=EVICT,
        fix="its user deletes it",
        apply_fix=delete_pods,
        target=FEWER,
    ),
    Fault(
        "a pod that blocks a remedy",
        "a pod holds a slice of the GPU on which MIG Manager would create another slice again",
        lambda run: destroy_slice(run, gpu=0),
        Outcome.FAILED,
        written=(),
        preview=(
            "drift: slice missing: node-1: GPU 0: expected 7x 1g.10gb, found 6x 1g.10gb; an update is refused while "
            f"{POD_WITHOUT_OWNER} on GPU 0; move them away first",
        ),
        error=differs(
            "slice missing: node-1: GPU 0: expected 7x 1g.10gb, found 6x 1g.10gb",
            f"node-1: nothing was restarted, because {POD_WITHOUT_OWNER} on GPU 0; move them away, then run the update "
            "again",
            then=KEPT,
        ),
        fix="the pod is moved away",
        apply_fix=delete_pods,
        target=OLD,
    ),
    Fault(
        "a slice is lost on another GPU than a pod's",
        "MIG Manager touches only GPUs whose slices differ (mig-parted apply/config.go), so the pod keeps running",
        lambda run: destroy_slice(run, gpu=1),
        Outcome.SUCCEEDED,
        written=("node-1",),
        preview=("drift: slice missing: node-1: GPU 1: expected 7x 1g.10gb, found 6x 1g.10gb",),
        remedies=("node-1: restarted MIG Manager (slice missing)",),
        apply_fix=delete_pods,
        target=OLD,
    ),
    Fault(
        "MIG is off on another GPU than a pod's",
        "to switch MIG on, mig-parted first clears every GPU that has MIG on (mig-parted apply/mode.go)",
        switch_mig_off_beside_pod,
        Outcome.FAILED,
        written=(),
        preview=(
            "drift: slice missing: node-1: GPU 1: expected 7x 1g.10gb, found MIG off; an update is refused while "
            f"{POD_WITHOUT_OWNER}; move them away first",
        ),
        error=differs(
            "slice missing: node-1: GPU 1: expected 7x 1g.10gb, found MIG off",
            f"node-1: nothing was restarted, because {POD_WITHOUT_OWNER}; move them away, then run the update again",
            then=KEPT,
        ),
        fix="the pod is moved away",
        apply_fix=delete_pods,
        target=OLD,
    ),
    Fault(
        "the same slices get another name while pods run everywhere",
        "MIG Manager finds the config applied (mig-parted reconfigure.go): no node is isolated, and no pod must leave",
        run_pods_everywhere,
        Outcome.SUCCEEDED,
        written=POOL,
        apply_fix=delete_pods,
        target=RENAMED,
    ),
    Fault(
        "two disruption budgets select one pod",
        "the Eviction API never evicts such a pod (kubernetes pkg/registry/core/pod/storage/eviction.go)",
        run_pod_with_two_budgets,
        Outcome.REFUSED,
        written=FIRST_WAVE,
        preview=LOSES_SLICE,
        error=(
            f"no node was relabelled: not evicted: {OWNED_POD}, because more than one PodDisruptionBudget selects it: "
            "guard, second",
            SCHEDULING_RESTORED,
        ),
        rollout=EVICT,
        fix="one of them is removed",
        apply_fix=delete_pods,
        target=FEWER,
    ),
]
