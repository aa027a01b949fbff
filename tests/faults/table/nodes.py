"""Nodes that are not as they should be, before and during a change."""

from mig_fleet.model import labels
from mig_fleet.model.layouts import Layout
from mig_fleet.simulator import Fault as NodeFault
from mig_fleet.simulator.driver import Driver
from tests.faults.fault import Fault, Outcome, nothing
from tests.faults.ground import FIRST, GPUS, MANAGER, OLD, POOL, RENAMED
from tests.faults.stage import LABEL, Stage
from tests.faults.table.wording import GFDS_LOG, PLUGINS_LOG, WHO_IS_THERE, differs, still_closed, unchanged

THEIRS = "example.com/maintenance"
A100 = Layout.uniform("training", "A100-80GB", {"3g.40gb": 2})


def not_ready(stage: Stage) -> None:
    stage.inject(NodeFault.NODE_NOT_READY, "node-1")
    stage.eventually(lambda: not stage.is_ready("node-1"), "node-1 is not Ready")


def ready(stage: Stage) -> None:
    stage.heal("node-1")
    stage.eventually(lambda: stage.is_ready("node-1"), "node-1 is Ready")


def pending_mode(stage: Stage, *, mode: bool) -> None:
    def ask(driver: Driver) -> None:
        driver.gpus[0].pending = mode

    stage.driver("node-1", ask)
    stage.until_reported("node-1", lambda report: report.gpus[0].mig_mode_pending is mode)


def incapable(stage: Stage) -> None:
    stage.inject(NodeFault.GFD_STALE, "node-1")
    stage.label("node-1", mig_capable=None)


def capable(stage: Stage) -> None:
    stage.label("node-1", mig_capable="true")
    stage.heal("node-1")
    stage.until_at("node-1", OLD)


def without_manager(stage: Stage) -> None:
    stage.label("node-1", **{"gpu.deploy.mig-manager": "false"})
    stage.eventually(lambda: not stage.ground.pods(MANAGER, "node-1"), "the manager's pod is gone")


def with_manager(stage: Stage) -> None:
    stage.label("node-1", **{"gpu.deploy.mig-manager": "true"})
    stage.eventually(lambda: stage.ground.pods(MANAGER, "node-1"), "the manager's pod is back")
    stage.until_at("node-1", OLD)


def their_cordon(stage: Stage) -> None:
    stage.patch("node-1", {"spec": {"unschedulable": True}})


def still_cordoned(stage: Stage) -> None:
    assert stage.ground.site.node("node-1")["spec"].get("unschedulable") is True, "their cordon is theirs to lift"


def their_taint(stage: Stage, effect: str) -> None:
    stage.patch("node-1", {"spec": {"taints": [{"key": THEIRS, "value": "disk", "effect": effect}]}})


def gone(stage: Stage) -> None:
    stage.fleet.remove_node("node-2")


def joined(stage: Stage) -> None:
    stage.ground.join("node-2")


def unowned(stage: Stage) -> None:
    """As a node that has just joined: MIG off, no mark of ours."""
    marks = dict.fromkeys([labels.WAVE, labels.PREVIOUS_CONFIG, labels.VERIFIED_CONFIG, labels.ATTEMPT])
    stage.patch("node-3", {"metadata": {"annotations": marks, "labels": {labels.CONFIG: labels.ALL_DISABLED}}})
    stage.ground.site.settled("node-3", labels.ALL_DISABLED)
    stage.until_reported("node-3", lambda report: report.counts() == (None,) * GPUS)


NODES = [
    Fault(
        "a node is not Ready before the change",
        "its container runtime hangs, so that no pod starts or leaves there (kubelet: PLEG is not healthy)",
        not_ready,
        Outcome.REFUSED,
        touched=(),
        reads=unchanged("node 'node-1' is not Ready; nothing can be started or ended there"),
        cure="the node is Ready again",
        end=ready,
        target=RENAMED,
    ),
    Fault(
        "a node stops being Ready in the middle",
        "the same, right after the label was written: MIG Manager waits for operands that cannot leave",
        lambda stage: stage.at(LABEL, "node-1", lambda: stage.inject(NodeFault.NODE_NOT_READY, "node-1")),
        Outcome.HALTED,
        touched=FIRST,
        closed=FIRST,
        reads=differs("not settled: node-1: MIG Manager's state is 'pending'; the node is not Ready"),
        cure="the node is Ready again",
        end=ready,
        rollout={"timeout_s": 4},
    ),
    Fault(
        "a GPU's MIG mode waits for a reset",
        "`nvidia-smi -mig` with a client on an Ampere GPU leaves the mode pending (MIG User Guide; gpu-operator#1845)",
        lambda stage: pending_mode(stage, mode=False),
        Outcome.REFUSED,
        touched=(),
        reads=unchanged(
            "node 'node-1' waits for a GPU reset or a reboot: the MIG mode of GPU 0 is still to change; drain and "
            "reboot it, then run the update again"
        ),
        cure="the node is rebooted",
        end=lambda stage: pending_mode(stage, mode=True),
        target=RENAMED,
    ),
    Fault(
        "a node of another GPU model",
        "somebody put the node into the wrong pool, or the machine was replaced by another one",
        nothing,
        Outcome.REFUSED,
        touched=(),
        reads=unchanged(
            "node 'node-1' has H100-80GB GPUs, its pool is for A100-80GB",
            "node 'node-2' has H100-80GB GPUs, its pool is for A100-80GB",
        ),
        cure="the stack names the right model",
        pool={"gpu": "A100-80GB", "layout": A100},
        target=RENAMED,
    ),
    Fault(
        "a node with another number of GPUs",
        "`gpusPerNode` is wrong, or a GPU fell off the bus and the driver was restarted without it",
        nothing,
        Outcome.REFUSED,
        touched=(),
        reads=unchanged(
            "node 'node-1' has 2 GPUs, its pool says gpusPerNode 4",
            "node 'node-2' has 2 GPUs, its pool says gpusPerNode 4",
        ),
        cure="the stack says how many there are",
        pool={"gpus_per_node": 4},
        target=RENAMED,
    ),
    Fault(
        "a node that is not labelled as MIG-capable",
        "GPU Feature Discovery does not run there or lost its label (gpu-operator#873, #287, #652)",
        incapable,
        Outcome.REFUSED,
        touched=(),
        reads=unchanged(
            "node 'node-1' is not MIG-capable: label nvidia.com/mig.capable is not set; is GPU Feature Discovery "
            "running there?"
        ),
        cure="GPU Feature Discovery runs again",
        end=capable,
        target=RENAMED,
    ),
    Fault(
        "a node without MIG Manager",
        "its deploy label is off, as on nodes that rejoined (gpu-operator#873, #652)",
        without_manager,
        Outcome.REFUSED,
        touched=(),
        reads=unchanged(
            "node 'node-1' has no MIG Manager pod (label nvidia.com/gpu.deploy.mig-manager is 'false', not 'true'); "
            "see `kubectl -n gpu-operator get daemonset nvidia-mig-manager`"
        ),
        cure="its deploy label is `true` again",
        end=with_manager,
        target=RENAMED,
    ),
    Fault(
        "a node that somebody else cordoned",
        "an administrator keeps it for later; the operator's own upgrades do the same (gpu-operator#304, #536)",
        their_cordon,
        Outcome.GOES_ON,
        touched=POOL,
        rollout={"isolation": "cordon"},
        healed=still_cordoned,
        target=RENAMED,
    ),
    Fault(
        "a foreign taint that NVIDIA's operands do not tolerate",
        "effect NoSchedule: the device plugin that MIG Manager paused cannot come back to the node",
        lambda stage: their_taint(stage, "NoSchedule"),
        Outcome.HALTED,
        touched=FIRST,
        closed=FIRST,
        reads=differs(
            "GFD labels stale: node-1: nvidia.com/mig-1g.10gb.count: expected 'none', found '14'",
            "GFD labels stale: node-1: nvidia.com/mig-3g.40gb.count: expected '4', found 'none'",
            "allocatable stale: node-1: nvidia.com/mig-3g.40gb: expected 4, the kubelet offers 0",
            "node-1: no pod of nvidia-device-plugin-daemonset runs there; the node is tainted with "
            "example.com/maintenance; see `kubectl -n gpu-operator get daemonset nvidia-device-plugin-daemonset`",
            see=(GFDS_LOG, PLUGINS_LOG),
        ),
        cure="the taint is taken off",
        end=lambda stage: stage.patch("node-1", {"spec": {"taints": None}}),
    ),
    Fault(
        "a node reboots in the middle",
        "it crashes right after the label was written; no GPU instance survives a reboot (MIG User Guide)",
        lambda stage: stage.at(LABEL, "node-1", lambda: stage.reboot("node-1")),
        Outcome.GOES_ON,
        touched=POOL,
    ),
    Fault(
        "a node is deleted in the middle",
        "an autoscaler or an administrator takes it away while its wave is under way",
        lambda stage: stage.at(LABEL, "node-1", lambda: gone(stage)),
        Outcome.HALTED,
        touched=FIRST,
        closed=("node-1",),
        reads=differs("node gone: node-2: is not in the cluster", see=(WHO_IS_THERE,), then=still_closed("node-1")),
        cure="a machine of that name joins again",
        end=joined,
    ),
    Fault(
        "a node joins the pool",
        "the pool grows by a node whose GPUs are whole; it is cut, the others are left alone",
        unowned,
        Outcome.GOES_ON,
        touched=POOL,
        previews=("needs: node-3: a change of the MIG mode of GPU 0-1: no GPU reset",),
        first={"nodes": ["node-1", "node-2"]},
        target=OLD,
    ),
    Fault(
        "a node's clock is an hour ahead",
        "no time service runs there; how old a report is, the API server's clock tells",
        lambda stage: stage.inject(NodeFault.CLOCK_AHEAD, "node-1"),
        Outcome.GOES_ON,
        touched=POOL,
        target=RENAMED,
    ),
]
