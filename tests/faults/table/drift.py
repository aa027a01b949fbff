"""What a plain preview finds of nodes and what runs on them: the stack did not change, and the fleet did."""

from mig_fleet.model import labels
from mig_fleet.simulator import Fault as NodeFault
from tests.faults.fault import Fault, Outcome
from tests.faults.ground import GFD, MANAGER, OLD, RENAMED
from tests.faults.stage import NODES, Stage
from tests.faults.table.nodes import gone, joined, not_ready, ready
from tests.faults.table.wording import CONDITIONS, KEPT, differs, unchanged

UNREADY = "node not Ready: node-1: its kubelet is silent or unwell, so what it had may be gone"


def replaced(stage: Stage) -> None:
    gone(stage)
    joined(stage)


def mark(stage: Stage, node: str, **marks: str | None) -> None:
    """Our annotations on a node; ``verified_config`` is ``mig-fleet.dev/verified-config``."""
    notes = {f"mig-fleet.dev/{key.replace('_', '-')}": value for key, value in marks.items()}
    stage.patch(node, {"metadata": {"annotations": notes}})


def failed(stage: Stage) -> None:
    """MIG Manager starts, and finds a GPU that is not cut."""
    stage.inject(NodeFault.MANAGER_FAILS_ONCE, "node-1")
    stage.driver("node-1", lambda driver: driver.gpus[0].clear())
    stage.ground.start_over(MANAGER, "node-1")
    stage.eventually(lambda: stage.ground.site.state("node-1") == "failed", "the manager failed")


def without_gfd(stage: Stage) -> None:
    deploy = f"{labels.DEPLOY_PREFIX}{GFD}".removeprefix("nvidia.com/")
    stage.label("node-1", **{deploy: "false"})
    stage.eventually(lambda: not stage.ground.pods(GFD, "node-1"), "the pod of GPU Feature Discovery is gone")
    stage.label("node-1", **{"mig-1g.10gb.count": "13"})
    stage.api.when("GET", NODES, lambda: stage.label("node-1", **{deploy: "true"}), skip=3)


def one_unhealthy(stage: Stage) -> None:
    stage.patch("node-1", {"status": {"allocatable": {"nvidia.com/mig-1g.10gb": "13"}}}, status=True)


DRIFT = [
    Fault(
        "a node left between two updates",
        "an autoscaler or an administrator took it away",
        gone,
        Outcome.REFUSED,
        touched=(),
        previews=(
            "drift: node gone: node-2: is not in the cluster",
            "drift: node gone: node-2: is not in the cluster",
        ),
        reads=unchanged("node 'node-2' is not in the cluster; check the pool's nodes, or `kubectl get nodes`"),
        cure="a machine of that name joins again",
        end=joined,
        target=OLD,
    ),
    Fault(
        "a node is replaced by another one of its name",
        "a machine was reinstalled: the label, our marks and the slices are gone",
        replaced,
        Outcome.GOES_ON,
        touched=("node-2",),
        previews=(
            "drift: node replaced: node-2: is another node of that name, without the marks of our last update",
            "drift: label changed: node-2: carries config 'all-disabled', expected 'notebooks-255390f5'",
        ),
        target=OLD,
    ),
    Fault(
        "another wave has marked the node",
        "an update that moved it to another pool was taken back half-done",
        lambda stage: mark(stage, "node-1", wave="another-pool-wave-0"),
        Outcome.GOES_ON,
        touched=("node-1",),
        previews=(
            "drift: node taken over: node-1: carries the mark of another-pool-wave-0, expected that of train-wave-00",
        ),
        target=OLD,
    ),
    Fault(
        "a node that was taken out of the pool",
        "its name was taken out of the stack file; the update after that lets it go",
        lambda stage: mark(stage, "node-2", wave="train-wave-0", previous_config=RENAMED.config_name),
        Outcome.GOES_ON,
        touched=("node-2",),
        previews=("drift: node left: node-2: was taken out of the pool and waits for `onDelete: restore`",),
        rollout={"on_delete": "restore"},
        first={"nodes": ["node-1", "node-3"]},
        pool={"nodes": ["node-1", "node-3"]},
        target=OLD,
    ),
    Fault(
        "a node is not noted as verified",
        "somebody took our annotation off",
        lambda stage: mark(stage, "node-1", verified_config=None),
        Outcome.GOES_ON,
        touched=("node-1",),
        previews=("drift: not noted: node-1: is as declared, but not noted as verified",),
        target=OLD,
    ),
    Fault(
        "a node is not Ready between two updates",
        "its container runtime hangs (kubelet: PLEG is not healthy)",
        not_ready,
        Outcome.FAILED,
        touched=(),
        previews=(f"drift: {UNREADY}",),
        reads=differs(UNREADY, see=(CONDITIONS,), then=KEPT),
        cure="the node is Ready again",
        end=ready,
        target=OLD,
    ),
    Fault(
        "a node without a state",
        "an update was killed between the two writes of a remedy: the state is off, and MIG Manager was not told",
        lambda stage: stage.label("node-1", **{"mig.config.state": None}),
        Outcome.GOES_ON,
        touched=("node-1",),
        previews=("drift: not settled: node-1: MIG Manager's state is not set",),
        recovers=("node-1: MIG Manager was started over (not settled)",),
        target=OLD,
    ),
    Fault(
        "MIG Manager failed between two updates",
        "its pod started anew before the driver's libraries were there (gpu-operator#2874)",
        failed,
        Outcome.GOES_ON,
        touched=("node-1",),
        previews=("drift: MIG Manager failed: node-1: could not apply 'notebooks-255390f5'",),
        recovers=("node-1: MIG Manager was started over (MIG Manager failed)",),
        end=lambda stage: stage.heal("node-1"),
        target=OLD,
    ),
    Fault(
        "the kubelet offers too few slices",
        "the device plugin holds one for unhealthy; a restart makes it look again (k8s-device-plugin#214)",
        one_unhealthy,
        Outcome.GOES_ON,
        touched=(),
        previews=("drift: allocatable stale: node-1: nvidia.com/mig-1g.10gb: expected 14, the kubelet offers 13",),
        recovers=("node-1: the device plugin was started over (allocatable stale)",),
        target=OLD,
    ),
    Fault(
        "a label of GPU Feature Discovery is wrong",
        "its pod was away while a slice was; the update waits until it is back",
        without_gfd,
        Outcome.GOES_ON,
        touched=(),
        previews=("drift: GFD labels stale: node-1: nvidia.com/mig-1g.10gb.count: expected '14', found '13'",),
        target=OLD,
    ),
]
