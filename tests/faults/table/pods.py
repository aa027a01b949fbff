"""Pods that hold slices of a node that is to be cut anew."""

from tests.faults.fault import Fault, Outcome
from tests.faults.ground import FIRST, OLD, POOL, RENAMED
from tests.faults.stage import CLOSE, EVICTION, Stage

APP = "app.kubernetes.io/name"
EVICT = {"on_user_pods": "evict", "timeout_s": 3}
WAIT = {"on_user_pods": "wait", "timeout_s": 3}


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
        reads=("node 'node-1' is in use: default/notebook", "choose onUserPods: wait or evict", "disrupts: node-1"),
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
        reads=("still running after N s: default/notebook", "open again: node-1, node-2"),
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
        reads=("PodDisruptionBudget does not allow it", "get poddisruptionbudgets", "open again: node-1, node-2"),
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
        reads=("still terminating after N s: default/notebook", "describe pod", "open again: node-1, node-2"),
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
        reads=("no node was relabelled", "default/notebook", "open again: node-1, node-2"),
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
        reads=("node 'node-1' is in use by pods of a DaemonSet, which would come back at once: default/node-agent",),
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
        reads=("in use by pods that nothing would start again: default/notebook",),
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
        reads=("slice destroyed: node-1", "nothing was started over, because default/notebook"),
        cure="the pod is moved away",
        end=clear,
        target=OLD,
    ),
]
