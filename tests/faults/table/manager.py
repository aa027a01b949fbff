"""Faults of NVIDIA's MIG Manager and the other operands."""

from typing import TypedDict

from mig_fleet.observed.operands import MIG_MANAGER
from mig_fleet.simulator import Fault as NodeFault
from tests.faults.fault import Action, Fault, Outcome
from tests.faults.fault_run import LABEL, FaultRun
from tests.faults.scenario import FEWER, FIRST_WAVE, OLD, POOL
from tests.faults.table.texts import GFD_LOG, LAST_OLD, MANAGER_RESTARTED, NOW_NEW, PLUGIN_LOG, differs, still_isolated

FOREIGN_CONFIG = "all-disabled"


class Actions(TypedDict):
    """Two arguments of a fault."""

    inject: Action
    apply_fix: Action


def on_one_node(fault: NodeFault) -> Actions:
    """The fault on node-1, until the update is over."""
    return {
        "inject": lambda run: run.inject(fault, "node-1"),
        "apply_fix": lambda run: run.clear_faults("node-1"),
    }


def ignore_labels_until_restart(run: FaultRun) -> None:
    run.inject(NodeFault.MANAGER_SILENT, "node-1")
    run.api.when("DELETE", f"/pods/{MIG_MANAGER}", lambda: run.clear_faults("node-1"))


def start_foreign_change(run: FaultRun) -> None:
    """A change that another user began a moment ago."""
    run.inject(NodeFault.MANAGER_SLOW, "node-1")
    run.label("node-1", **{"mig.config": FOREIGN_CONFIG, "mig.config.state": None})
    run.eventually(lambda: run.scenario.site.state("node-1") == "pending", "MIG Manager's state is pending")


def fail_after_a_success(run: FaultRun) -> None:
    """A process that has applied a config, and whose next apply fails."""
    for config in (FEWER.config_name, OLD.config_name):
        apply(run, config, "success")
    run.inject(NodeFault.MANAGER_FAILS_ONCE, "node-1")


def apply(run: FaultRun, config: str, state: str) -> None:
    """Another user's change of node-1, to its end."""
    run.label("node-1", **{"mig.config": config, "mig.config.state": None})
    run.wait_for_report("node-1", lambda report: (report.config, report.state) == (config, state))


def upgrade(run: FaultRun) -> None:
    for node in POOL:
        run.scenario.restart(MIG_MANAGER, node)


MANAGER = [
    Fault(
        "MIG Manager fails, and fails again",
        "the driver's libraries are not installed when it starts, and it never retries (gpu-operator#2874)",
        outcome=Outcome.HALTED,
        written=FIRST_WAVE,
        isolated=FIRST_WAVE,
        error=differs("MIG Manager failed: node-1: could not apply 'training-ea45f71e'", MANAGER_RESTARTED),
        fix="the driver is repaired",
        **on_one_node(NodeFault.MANAGER_FAILS),
    ),
    Fault(
        "MIG Manager fails once",
        "the same, but its next pod finds the libraries (gpu-operator#2874)",
        outcome=Outcome.SUCCEEDED,
        written=POOL,
        remedies=("node-1: restarted MIG Manager (MIG Manager failed)",),
        **on_one_node(NodeFault.MANAGER_FAILS_ONCE),
    ),
    Fault(
        "MIG Manager fails once on two nodes",
        "the same on a whole wave; the second node is recovered after the first one",
        lambda run: run.inject(NodeFault.MANAGER_FAILS_ONCE, *FIRST_WAVE),
        Outcome.SUCCEEDED,
        written=POOL,
        remedies=(
            "node-1: restarted MIG Manager (MIG Manager failed)",
            "node-2: restarted MIG Manager (MIG Manager failed)",
        ),
        apply_fix=lambda run: run.clear_faults(*FIRST_WAVE),
    ),
    Fault(
        "MIG Manager fails after a success, and forgets the operands",
        "once a change succeeded in its process, a failure leaves the operands paused: the node offers no GPU "
        "(mig-parted v0.15.0 reconfigure.go, measured)",
        fail_after_a_success,
        Outcome.SUCCEEDED,
        written=POOL,
        remedies=(
            "node-1: restarted MIG Manager (MIG Manager failed)",
            "node-1: restored the paused operands (operands paused)",
        ),
        apply_fix=lambda run: run.clear_faults("node-1"),
    ),
    Fault(
        "MIG Manager does not react",
        "its watch ended, and it never lists the node again (mig-parted main.go: an informer without resync)",
        ignore_labels_until_restart,
        Outcome.SUCCEEDED,
        written=POOL,
        remedies=("node-1: restarted MIG Manager (not reconciled)",),
    ),
    Fault(
        "MIG Manager is stuck in pending until it is restarted",
        "its wait for the operands failed; they stay paused: the node has no GPU (gpu-operator#2833, mig-parted#485)",
        outcome=Outcome.SUCCEEDED,
        written=POOL,
        remedies=("node-1: restored the paused operands and restarted MIG Manager (not reconciled)",),
        rollout={"stuck_after_seconds": 2},
        **on_one_node(NodeFault.MANAGER_WEDGED),
    ),
    Fault(
        "MIG Manager is stuck in pending after a restart too",
        "the same, and its new pod is stuck again",
        outcome=Outcome.HALTED,
        written=FIRST_WAVE,
        isolated=FIRST_WAVE,
        error=differs(
            "not reconciled: node-1: MIG Manager's state is 'pending'",
            "node-1: restored the paused operands and restarted MIG Manager",
            then=still_isolated(LAST_OLD),
        ),
        fix="the operands that do not terminate are repaired",
        rollout={"stuck_after_seconds": 2, "timeout_seconds": 6},
        **on_one_node(NodeFault.MANAGER_STUCK_PENDING),
    ),
    Fault(
        "MIG Manager reports success without any slice",
        "it does not check the slices that it created; unknown profiles end like this (mig-parted v0.15.0, measured)",
        outcome=Outcome.HALTED,
        written=FIRST_WAVE,
        isolated=FIRST_WAVE,
        error=differs(
            "layout lost: node-1: GPU 0: expected 2x 3g.40gb, found no slices",
            "layout lost: node-1: GPU 1: expected 2x 3g.40gb, found no slices",
            MANAGER_RESTARTED,
            then=still_isolated("NVML shows GPU 0-1: no slices"),
        ),
        fix="MIG Manager is repaired",
        **on_one_node(NodeFault.MANAGER_CREATES_NOTHING),
    ),
    Fault(
        "MIG Manager reports success with one slice too few",
        "one instance could not be created, and MIG Manager does not check it (mig-parted reconfigure.go)",
        outcome=Outcome.HALTED,
        written=FIRST_WAVE,
        isolated=FIRST_WAVE,
        error=differs(
            "slice missing: node-1: GPU 0: expected 2x 3g.40gb, found 3g.40gb",
            MANAGER_RESTARTED,
            then=still_isolated("NVML shows GPU 0: 3g.40gb; GPU 1: 2x 3g.40gb"),
        ),
        fix="MIG Manager is repaired",
        **on_one_node(NodeFault.MANAGER_ONE_SLICE_SHORT),
    ),
    Fault(
        "MIG Manager is applying another config",
        "another user labelled the node a moment ago; the success of that config would look like that of ours",
        start_foreign_change,
        Outcome.SUCCEEDED,
        written=POOL,
        preview=(
            "unfinishedNodes: node-1: config all-disabled, state 'pending', not isolated",
            "unfinishedNodes: node-1: NVML last showed GPU 0-1: 7x 1g.10gb",
            "unfinishedNodes: node-1: the next update waits for MIG Manager, then reconfigures it to training-ea45f71e",
        ),
        apply_fix=lambda run: run.clear_faults("node-1"),
    ),
    Fault(
        "the operator is upgraded during the change",
        "every MIG Manager pod is replaced right after the label is written; a new pod applies the label that it finds "
        "(gpu-operator#1310)",
        lambda run: run.before_write(LABEL, "node-1", lambda: upgrade(run)),
        Outcome.SUCCEEDED,
        written=POOL,
    ),
    Fault(
        "the kubelet offers slices that no longer exist",
        "a stale cache of the device plugin or the kubelet (k8s-device-plugin#214, gpu-operator#637)",
        outcome=Outcome.HALTED,
        written=FIRST_WAVE,
        isolated=FIRST_WAVE,
        error=differs(
            "allocatable stale: node-1: nvidia.com/mig-1g.10gb: expected 0, the kubelet offers 14",
            "allocatable stale: node-1: nvidia.com/mig-3g.40gb: expected 4, the kubelet offers 0",
            "node-1: restarted the device plugin",
            see=(PLUGIN_LOG,),
            then=still_isolated(NOW_NEW),
        ),
        fix="the kubelet is restarted",
        **on_one_node(NodeFault.STALE_ALLOCATABLE),
    ),
    Fault(
        "the device plugin registers the slices from before the change",
        "it reads the GPUs once, when it starts; a restart helps (k8s-device-plugin#214)",
        outcome=Outcome.SUCCEEDED,
        written=POOL,
        remedies=("node-1: restarted the device plugin (allocatable stale)",),
        **on_one_node(NodeFault.PLUGIN_STALE),
    ),
    Fault(
        "GPU Feature Discovery writes no new labels",
        "no event reports the change to it, and its pod hangs",
        outcome=Outcome.HALTED,
        written=FIRST_WAVE,
        isolated=FIRST_WAVE,
        error=differs(
            "GFD labels stale: node-1: nvidia.com/mig-1g.10gb.count: expected 'none', found '14'",
            "GFD labels stale: node-1: nvidia.com/mig-3g.40gb.count: expected '4', found 'none'",
            see=(GFD_LOG,),
            then=still_isolated(NOW_NEW),
        ),
        fix="its pod is restarted",
        **on_one_node(NodeFault.GFD_STALE),
    ),
]
