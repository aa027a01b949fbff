"""Nodes that cannot be changed, or that fail during a change."""

from mig_fleet.model import labels
from mig_fleet.model.layouts import Layout
from mig_fleet.observed.operands import MIG_MANAGER
from mig_fleet.simulator import Fault as NodeFault
from mig_fleet.simulator.driver import Driver
from tests.faults.fault import Fault, Outcome, nothing
from tests.faults.fault_run import LABEL, FaultRun
from tests.faults.scenario import FEWER, FIRST_WAVE, GPUS, OLD, POOL
from tests.faults.table.texts import (
    CLUSTER_NODES,
    GFD_LOG,
    LAST_OLD,
    NOW_NEW,
    PLUGIN_LOG,
    differs,
    refused,
    still_isolated,
)

FOREIGN_TAINT = "example.com/maintenance"
A100 = Layout.uniform("training", "A100-80GB", {"3g.40gb": 2})


def make_not_ready(run: FaultRun) -> None:
    run.inject(NodeFault.NODE_NOT_READY, "node-1")
    run.eventually(lambda: not run.is_ready("node-1"), "node-1 is not Ready")


def make_ready(run: FaultRun) -> None:
    run.clear_faults("node-1")
    run.eventually(lambda: run.is_ready("node-1"), "node-1 is Ready")


def set_pending_mode(run: FaultRun, *, mode: bool) -> None:
    def change(driver: Driver) -> None:
        driver.gpus[0].pending = mode

    run.change_driver("node-1", change)
    run.wait_for_report("node-1", lambda report: report.gpus[0].mig_mode_pending is mode)


def remove_capable_label(run: FaultRun) -> None:
    run.inject(NodeFault.GFD_STALE, "node-1")
    run.label("node-1", mig_capable=None)


def restore_capable_label(run: FaultRun) -> None:
    run.label("node-1", mig_capable="true")
    run.clear_faults("node-1")
    run.wait_for_layout("node-1", OLD)


def disable_manager(run: FaultRun) -> None:
    run.label("node-1", **{"gpu.deploy.mig-manager": "false"})
    run.eventually(lambda: not run.scenario.pods(MIG_MANAGER, "node-1"), "the pod of MIG Manager is gone")


def enable_manager(run: FaultRun) -> None:
    run.label("node-1", **{"gpu.deploy.mig-manager": "true"})
    run.eventually(lambda: run.scenario.pods(MIG_MANAGER, "node-1"), "the pod of MIG Manager is back")
    run.wait_for_layout("node-1", OLD)


def cordon(run: FaultRun) -> None:
    run.patch("node-1", {"spec": {"unschedulable": True}})


def assert_still_cordoned(run: FaultRun) -> None:
    unschedulable = run.scenario.site.node("node-1")["spec"].get("unschedulable")
    assert unschedulable is True, "a cordon of another user must stay"


def add_foreign_taint(run: FaultRun) -> None:
    run.patch("node-1", {"spec": {"taints": [{"key": FOREIGN_TAINT, "value": "disk", "effect": "NoSchedule"}]}})


def remove_node(run: FaultRun) -> None:
    run.fleet.remove_node("node-2")


def join_node(run: FaultRun) -> None:
    run.scenario.join("node-2")


def reset_to_new_node(run: FaultRun) -> None:
    """Like a node that has just joined: MIG off, without our annotations."""
    annotations = dict.fromkeys([labels.WAVE, labels.PREVIOUS_CONFIG, labels.VERIFIED_CONFIG, labels.ATTEMPT])
    run.patch("node-3", {"metadata": {"annotations": annotations, "labels": {labels.CONFIG: labels.ALL_DISABLED}}})
    run.scenario.site.wait_for_success("node-3", labels.ALL_DISABLED)
    run.wait_for_report("node-3", lambda report: report.counts() == (None,) * GPUS)


NODES = [
    Fault(
        "a node is not Ready before the change",
        "its container runtime hangs, so that no pod starts or terminates there (kubelet: PLEG is not healthy)",
        make_not_ready,
        Outcome.REFUSED,
        written=(),
        error=refused("node 'node-1' is not Ready; no pod can be started or stopped there"),
        fix="the node is Ready again",
        apply_fix=make_ready,
        target=FEWER,
    ),
    Fault(
        "a node becomes not Ready during the change",
        "the same, right after the label is written: MIG Manager waits for operands that cannot terminate",
        lambda run: run.before_write(LABEL, "node-1", lambda: run.inject(NodeFault.NODE_NOT_READY, "node-1")),
        Outcome.HALTED,
        written=FIRST_WAVE,
        isolated=FIRST_WAVE,
        error=differs(
            "not reconciled: node-1: MIG Manager's state is 'pending'; the node is not Ready",
            then=still_isolated(LAST_OLD),
        ),
        fix="the node is Ready again",
        apply_fix=make_ready,
        rollout={"timeout_seconds": 4},
    ),
    Fault(
        "a GPU's MIG mode waits for a reset",
        "`nvidia-smi -mig` with a client on an Ampere GPU leaves the mode pending (MIG User Guide; gpu-operator#1845)",
        lambda run: set_pending_mode(run, mode=False),
        Outcome.REFUSED,
        written=(),
        error=refused(
            "node 'node-1': GPU 0: a change of the MIG mode waits for a GPU reset; drain and reboot the node, then run "
            "the update again"
        ),
        fix="the node is rebooted",
        apply_fix=lambda run: set_pending_mode(run, mode=True),
        target=FEWER,
    ),
    Fault(
        "a node with another GPU model",
        "the node is listed in the wrong pool, or its machine was replaced by another model",
        nothing,
        Outcome.REFUSED,
        written=(),
        error=refused(
            "node 'node-1' has H100-80GB GPUs, its pool is for A100-80GB",
            "node 'node-2' has H100-80GB GPUs, its pool is for A100-80GB",
        ),
        fix="the stack file has the right model",
        pool={"gpu": "A100-80GB", "layout": A100},
        target=FEWER,
    ),
    Fault(
        "a node with another number of GPUs",
        "`gpusPerNode` is wrong, or a GPU fell off the bus and the driver was restarted without it",
        nothing,
        Outcome.REFUSED,
        written=(),
        error=refused(
            "node 'node-1' has 2 GPUs, its pool has gpusPerNode: 4",
            "node 'node-2' has 2 GPUs, its pool has gpusPerNode: 4",
        ),
        fix="the stack file has the right number",
        pool={"gpus_per_node": 4},
        target=FEWER,
    ),
    Fault(
        "a node without the label of MIG-capable nodes",
        "GPU Feature Discovery does not run there, or its label was lost (gpu-operator#873, #287, #652)",
        remove_capable_label,
        Outcome.REFUSED,
        written=(),
        error=refused(
            "node 'node-1' is not MIG-capable: label nvidia.com/mig.capable is not set; is GPU Feature Discovery "
            "running there?"
        ),
        fix="GPU Feature Discovery runs again",
        apply_fix=restore_capable_label,
        target=FEWER,
    ),
    Fault(
        "a node without MIG Manager",
        "its deploy label is off, as on nodes that rejoined (gpu-operator#873, #652)",
        disable_manager,
        Outcome.REFUSED,
        written=(),
        error=refused(
            "node 'node-1' has no MIG Manager pod (label nvidia.com/gpu.deploy.mig-manager is 'false', not 'true'); "
            "see `kubectl -n gpu-operator get daemonset nvidia-mig-manager`"
        ),
        fix="its deploy label is `true` again",
        apply_fix=enable_manager,
        target=FEWER,
    ),
    Fault(
        "a node that another user cordoned",
        "an administrator keeps it free; the operator's own upgrades cordon nodes too (gpu-operator#304, #536)",
        cordon,
        Outcome.SUCCEEDED,
        written=POOL,
        rollout={"isolation": "cordon"},
        check_after=assert_still_cordoned,
        target=FEWER,
    ),
    Fault(
        "a foreign taint that NVIDIA's operands do not tolerate",
        "effect NoSchedule: the device plugin that MIG Manager paused cannot return to the node",
        add_foreign_taint,
        Outcome.HALTED,
        written=FIRST_WAVE,
        isolated=FIRST_WAVE,
        error=differs(
            "GFD labels stale: node-1: nvidia.com/mig-1g.10gb.count: expected 'none', found '14'",
            "GFD labels stale: node-1: nvidia.com/mig-3g.40gb.count: expected '4', found 'none'",
            "allocatable stale: node-1: nvidia.com/mig-3g.40gb: expected 4, the kubelet offers 0",
            "node-1: no pod of nvidia-device-plugin-daemonset runs there; the node is tainted with "
            "example.com/maintenance; see `kubectl -n gpu-operator get daemonset nvidia-device-plugin-daemonset`",
            see=(GFD_LOG, PLUGIN_LOG),
            then=still_isolated(NOW_NEW),
        ),
        fix="the taint is removed",
        apply_fix=lambda run: run.patch("node-1", {"spec": {"taints": None}}),
    ),
    Fault(
        "a node reboots during the change",
        "it crashes right after the label is written; no GPU instance survives a reboot (MIG User Guide)",
        lambda run: run.before_write(LABEL, "node-1", lambda: run.reboot("node-1")),
        Outcome.SUCCEEDED,
        written=POOL,
    ),
    Fault(
        "a node is deleted during the change",
        "an autoscaler or an administrator removes it while its wave is being changed",
        lambda run: run.before_write(LABEL, "node-1", lambda: remove_node(run)),
        Outcome.HALTED,
        written=FIRST_WAVE,
        isolated=("node-1",),
        error=differs(
            "node missing: node-2: is not in the cluster", see=(CLUSTER_NODES,), then=still_isolated(NOW_NEW, "")
        ),
        fix="a machine of that name joins again",
        apply_fix=join_node,
    ),
    Fault(
        "a node joins the pool",
        "the pool grows by a node with whole GPUs; only this node is partitioned",
        reset_to_new_node,
        Outcome.SUCCEEDED,
        written=POOL,
        preview=("gpuResets: node-3: MIG mode of GPU 0-1 changes; needs no GPU reset",),
        pool_before={"nodes": ["node-1", "node-2"]},
        target=OLD,
    ),
    Fault(
        "a node's clock is one hour ahead",
        "no time service runs there; the age of a report is measured with the API server's clock",
        lambda run: run.inject(NodeFault.CLOCK_AHEAD, "node-1"),
        Outcome.SUCCEEDED,
        written=POOL,
        target=FEWER,
    ),
]
