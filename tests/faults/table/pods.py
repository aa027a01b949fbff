"""Pods that hold slices of a node that is to be cut anew."""

from tests.faults.fault import Fault, Outcome
from tests.faults.ground import FIRST, OLD, POOL, RENAMED
from tests.faults.stage import CLOSE, EVICTION, Stage
from tests.faults.table.wording import HOLDS, KEPT, NAKED, OPEN_AGAIN, differs, unchanged

APP = "app.kubernetes.io/name"
EVICT = {"on_user_pods": "evict", "timeout_s": 3}
WAIT = {"on_user_pods": "wait", "timeout_s": 3}
DISRUPTS, DISRUPTS_NAKED = (f"disrupts: node-1: {HOLDS}",), (f"disrupts: node-1: {NAKED}",)
AGENT = "default/node-agent-x2x7k (DaemonSet node-agent) holds 1x mig-1g.10gb"


def clear(stage: Stage) -> None:
    stage.clear()


def guarded(stage: Stage) -> None:
    stage.run("node-1", owner="Deployment")
    stage.fleet.user_pods.protect({APP: "notebook"})


def guarded_for_a_while(stage: Stage) -> None:
    guarded(stage)
    budget = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/guard"
    stage.api.when("POST", EVICTION, lambda: stage.fleet.call("delete", budget), skip=1)


def leaves(stage: Stage) -> None:
    pod = stage.run("node-1")
    stage.at(CLOSE, "node-1", lambda: stage.fleet.call("delete", f"/api/v1/namespaces/default/pods/{pod}"))


def begins(stage: Stage) -> None:
    """Between the look at the pods and the taint."""
    stage.at(CLOSE, "node-1", lambda: stage.run("node-1"))


def destroyed_beside(stage: Stage) -> None:
    stage.run("node-1")
    stage.driver("node-1", lambda driver: driver.gpus[1].destroy(driver.gpus[1].instances[-1].id))
    stage.until_reported("node-1", lambda report: report.counts()[1] == {"1g.10gb": 6})


PODS = [
    Fault(
        "a pod uses a slice",
        "the default, `onUserPods: refuse`: nobody is thrown out",
        lambda stage: stage.run("node-1", owner="Deployment"),
        Outcome.REFUSED,
        touched=(),
        previews=DISRUPTS,
        reads=unchanged(f"node 'node-1' is in use: {HOLDS}; move them away, or choose onUserPods: wait or evict"),
        cure="the pod is moved away",
        end=clear,
        target=RENAMED,
    ),
    Fault(
        "a pod that does not end in time",
        "`onUserPods: wait`, and it runs on",
        lambda stage: stage.run("node-1"),
        Outcome.REFUSED,
        touched=FIRST,
        previews=DISRUPTS_NAKED,
        reads=(f"no node was relabelled: still running after N s: {NAKED}", OPEN_AGAIN),
        rollout=WAIT,
        cure="it has ended",
        end=clear,
        target=RENAMED,
    ),
    Fault(
        "a budget that never allows the eviction",
        "`onUserPods: evict`, and a PodDisruptionBudget with no room",
        guarded,
        Outcome.REFUSED,
        touched=FIRST,
        previews=DISRUPTS,
        reads=(
            "no node was relabelled: not evicted within N s, because a PodDisruptionBudget does not allow it: "
            f"{HOLDS}; see `kubectl -n default get poddisruptionbudgets`",
            OPEN_AGAIN,
        ),
        rollout=EVICT,
        cure="the budget has room",
        end=clear,
        target=RENAMED,
    ),
    Fault(
        "a budget that allows the eviction later",
        "another replica became ready",
        guarded_for_a_while,
        Outcome.GOES_ON,
        touched=POOL,
        previews=DISRUPTS,
        rollout={**EVICT, "timeout_s": 20},
        end=clear,
        target=RENAMED,
    ),
    Fault(
        "a pod that hangs in Terminating",
        "evicted, but its kubelet never confirms that it has left (kubernetes#51835 and many others)",
        lambda stage: stage.run("node-1", owner="Deployment", never_stops=True),
        Outcome.REFUSED,
        touched=FIRST,
        previews=DISRUPTS,
        reads=(
            f"no node was relabelled: still terminating after N s: {HOLDS}; see why with "
            "`kubectl -n default describe pod notebook-7d4b9c6f5-x2x7k`",
            OPEN_AGAIN,
        ),
        rollout=EVICT,
        cure="the pod is deleted by force",
        end=clear,
        target=RENAMED,
    ),
    Fault(
        "a pod that starts in the meantime",
        "the scheduler placed it after we looked and before the taint was there",
        begins,
        Outcome.REFUSED,
        touched=FIRST,
        reads=(
            f"no node was relabelled: node 'node-1' is in use: {NAKED}; move them away, or choose onUserPods: wait or "
            "evict",
            OPEN_AGAIN,
        ),
        cure="the pod is moved away",
        end=clear,
        target=RENAMED,
    ),
    Fault(
        "a pod of a DaemonSet",
        "eviction would only start it again in the same place",
        lambda stage: stage.run("node-1", name="node-agent", owner="DaemonSet"),
        Outcome.REFUSED,
        touched=(),
        previews=(f"disrupts: node-1: {AGENT}",),
        reads=unchanged(
            f"node 'node-1' is in use by pods of a DaemonSet, which would come back at once: {AGENT}; keep that "
            "DaemonSet off the node, by its nodeSelector for example"
        ),
        rollout=EVICT,
        cure="the DaemonSet is kept off the node",
        end=clear,
        target=RENAMED,
    ),
    Fault(
        "a naked pod",
        "nobody would start it again, so nobody evicts it",
        lambda stage: stage.run("node-1"),
        Outcome.REFUSED,
        touched=(),
        previews=DISRUPTS_NAKED,
        reads=unchanged(
            f"node 'node-1' is in use by pods that nothing would start again: {NAKED}; delete them yourself, or choose "
            "onUserPods: wait"
        ),
        rollout=EVICT,
        cure="its owner deletes it",
        end=clear,
        target=RENAMED,
    ),
    Fault(
        "a pod that is in the way of a remedy",
        "a slice was destroyed beside a pod that works on: nothing is started over under it",
        destroyed_beside,
        Outcome.FAILED,
        touched=(),
        previews=("drift: slice destroyed: node-1: GPU 1: expected 7x 1g.10gb, found 6x 1g.10gb",),
        reads=differs(
            "slice destroyed: node-1: GPU 1: expected 7x 1g.10gb, found 6x 1g.10gb",
            f"node-1: nothing was started over, because {NAKED}; move them away, then run the update again",
            then=KEPT,
        ),
        cure="the pod is moved away",
        end=clear,
        target=OLD,
    ),
]
