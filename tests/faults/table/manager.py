"""What NVIDIA's MIG Manager and the operands around it do wrong."""

from mig_fleet.simulator import Fault as NodeFault
from tests.faults.fault import Fault, Outcome
from tests.faults.ground import FIRST, POOL
from tests.faults.ground import MANAGER as APP
from tests.faults.stage import LABEL, Stage
from tests.faults.table.wording import GFDS_LOG, MANAGER_STARTED_OVER, PLUGINS_LOG, differs

OTHERS_WORK = "all-disabled"


def on_one(fault: NodeFault) -> dict:
    return {"play": lambda stage: stage.inject(fault, "node-1"), "end": lambda stage: stage.heal("node-1")}


def at_work(stage: Stage) -> None:
    """A change that somebody began a moment ago."""
    stage.inject(NodeFault.MANAGER_SLOW, "node-1")
    stage.label("node-1", **{"mig.config": OTHERS_WORK, "mig.config.state": None})
    stage.eventually(lambda: stage.ground.site.state("node-1") == "pending", "the manager is at work")


def upgrade(stage: Stage) -> None:
    for node in POOL:
        stage.ground.start_over(APP, node)


MANAGER = [
    Fault(
        "MIG Manager fails, and fails again",
        "the driver's libraries are not there when it starts; it never retries (gpu-operator#2874)",
        outcome=Outcome.HALTED,
        touched=FIRST,
        closed=FIRST,
        reads=differs("MIG Manager failed: node-1: could not apply 'training-ea45f71e'", MANAGER_STARTED_OVER),
        cure="the driver is mended",
        **on_one(NodeFault.MANAGER_FAILS),
    ),
    Fault(
        "MIG Manager fails once",
        "the same, but its next pod finds the libraries (gpu-operator#2874)",
        outcome=Outcome.GOES_ON,
        touched=POOL,
        recovers=("node-1: MIG Manager was started over (MIG Manager failed)",),
        **on_one(NodeFault.MANAGER_FAILS_ONCE),
    ),
    Fault(
        "MIG Manager fails once on two nodes",
        "the same on a whole wave; the second node is helped when the first one is right",
        outcome=Outcome.GOES_ON,
        touched=POOL,
        recovers=(
            "node-1: MIG Manager was started over (MIG Manager failed)",
            "node-2: MIG Manager was started over (MIG Manager failed)",
        ),
        play=lambda stage: stage.inject(NodeFault.MANAGER_FAILS_ONCE, *FIRST),
        end=lambda stage: stage.heal(*FIRST),
    ),
    Fault(
        "MIG Manager does not react",
        "its watch ended unnoticed, and there is no second look (mig-parted main.go: an informer without resync)",
        outcome=Outcome.GOES_ON,
        touched=POOL,
        recovers=("node-1: MIG Manager was started over (not settled)",),
        play=lambda stage: (
            stage.inject(NodeFault.MANAGER_SILENT, "node-1"),
            stage.api.when("DELETE", f"/pods/{APP}", lambda: stage.heal("node-1")),
        ),
    ),
    Fault(
        "MIG Manager hangs in pending until it is helped",
        "waiting for the operands failed; they stay paused: the node has no GPU (gpu-operator#2833, mig-parted#485)",
        outcome=Outcome.GOES_ON,
        touched=POOL,
        recovers=("node-1: paused operands were let back and MIG Manager was started over (not settled)",),
        rollout={"wedged_s": 2},
        **on_one(NodeFault.MANAGER_WEDGED),
    ),
    Fault(
        "MIG Manager hangs in pending for good",
        "the same, and a new pod hangs again",
        outcome=Outcome.HALTED,
        touched=FIRST,
        closed=FIRST,
        reads=differs(
            "not settled: node-1: MIG Manager's state is 'pending'",
            "node-1: paused operands were let back and MIG Manager was started over",
        ),
        cure="the operands that do not leave are mended",
        rollout={"wedged_s": 2, "timeout_s": 6},
        **on_one(NodeFault.MANAGER_STUCK_PENDING),
    ),
    Fault(
        "success without a single slice",
        "MIG Manager does not look after an apply; unknown profiles end like this (mig-parted v0.15.0, measured)",
        outcome=Outcome.HALTED,
        touched=FIRST,
        closed=FIRST,
        reads=differs(
            "layout lost: node-1: GPU 0: expected 2x 3g.40gb, found no slices",
            "layout lost: node-1: GPU 1: expected 2x 3g.40gb, found no slices",
            MANAGER_STARTED_OVER,
        ),
        cure="MIG Manager is mended",
        **on_one(NodeFault.MANAGER_CREATES_NOTHING),
    ),
    Fault(
        "success with one slice too few",
        "one instance could not be created, and MIG Manager does not look (mig-parted reconfigure.go)",
        outcome=Outcome.HALTED,
        touched=FIRST,
        closed=FIRST,
        reads=differs("slice destroyed: node-1: GPU 0: expected 2x 3g.40gb, found 3g.40gb", MANAGER_STARTED_OVER),
        cure="MIG Manager is mended",
        **on_one(NodeFault.MANAGER_ONE_SLICE_SHORT),
    ),
    Fault(
        "MIG Manager is at work on something else",
        "somebody labelled the node a moment ago; its end would look like the end of our change",
        at_work,
        Outcome.GOES_ON,
        touched=POOL,
        end=lambda stage: stage.heal("node-1"),
    ),
    Fault(
        "the operator is upgraded in the middle",
        "every MIG Manager pod is replaced right after the label; a new one applies what it finds (gpu-operator#1310)",
        lambda stage: stage.at(LABEL, "node-1", lambda: upgrade(stage)),
        Outcome.GOES_ON,
        touched=POOL,
    ),
    Fault(
        "the kubelet offers what is no longer there",
        "a cache of the device plugin's or the kubelet's (k8s-device-plugin#214, gpu-operator#637)",
        outcome=Outcome.HALTED,
        touched=FIRST,
        closed=FIRST,
        reads=differs(
            "allocatable stale: node-1: nvidia.com/mig-1g.10gb: expected 0, the kubelet offers 14",
            "allocatable stale: node-1: nvidia.com/mig-3g.40gb: expected 4, the kubelet offers 0",
            "node-1: the device plugin was started over",
            see=(PLUGINS_LOG,),
        ),
        cure="the kubelet is restarted",
        **on_one(NodeFault.STALE_ALLOCATABLE),
    ),
    Fault(
        "the device plugin registers what it knew before",
        "it looks at the GPUs once, when it starts; a restart helps (k8s-device-plugin#214)",
        outcome=Outcome.GOES_ON,
        touched=POOL,
        recovers=("node-1: the device plugin was started over (allocatable stale)",),
        **on_one(NodeFault.PLUGIN_STALE),
    ),
    Fault(
        "GPU Feature Discovery writes no new labels",
        "nothing tells it of a change, and its pod hangs",
        outcome=Outcome.HALTED,
        touched=FIRST,
        closed=FIRST,
        reads=differs(
            "GFD labels stale: node-1: nvidia.com/mig-1g.10gb.count: expected 'none', found '14'",
            "GFD labels stale: node-1: nvidia.com/mig-3g.40gb.count: expected '4', found 'none'",
            see=(GFDS_LOG,),
        ),
        cure="its pod is started over",
        **on_one(NodeFault.GFD_STALE),
    ),
]
