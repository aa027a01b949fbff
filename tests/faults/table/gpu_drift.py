"""Drift that a plain preview finds on GPUs: the stack did not change, the slices that NVML reports did."""

from collections.abc import Callable
from dataclasses import replace

from mig_fleet.observed.operands import MIG_MANAGER
from mig_fleet.simulator import Fault as NodeFault
from mig_fleet.simulator.driver import Driver
from mig_fleet.simulator.driver.gpu import new_gpu
from tests.faults.fault import Fault, Outcome
from tests.faults.fault_run import FaultRun
from tests.faults.scenario import GPU, GPUS, OLD, SPARSE
from tests.faults.table.nodes import set_pending_mode
from tests.faults.table.probes import LOST, restart_probe
from tests.faults.table.texts import CONDITIONS, KEPT, KERNEL_LOG, differs

NVML_ERROR = f"driver error: node-1: {LOST}"
FEWER_GPUS = "GPU count differs: node-1: expected 2 GPUs, NVML reports 1"
RESET_PENDING = (
    "GPU reset pending: node-1: GPU 0: a change of the MIG mode waits for a GPU reset; drain and reboot the node"
)
BARE = (
    "bare GPU instance: node-1: GPU 0: GPU instance 7 (1g.10gb) has no compute instance, and MIG Manager ignores it; "
    "destroy it there: `nvidia-smi mig -i 0 -dgi -gi 7`"
)


def reboot(run: FaultRun) -> None:
    """The fault keeps MIG Manager from applying the label when it starts; it ends when recovery deletes the pod."""
    run.inject(NodeFault.MANAGER_SILENT, "node-1")
    run.fleet.reboot("node-1")
    run.wait_for_report("node-1", lambda report: report.counts() == (None,) * GPUS)
    run.api.when("DELETE", f"/pods/{MIG_MANAGER}", lambda: run.clear_faults("node-1"))


def change_slices(run: FaultRun, change: Callable[[Driver], object]) -> None:
    run.change_driver("node-1", change)
    run.wait_for_report("node-1", lambda report: report.counts() != OLD.per_gpu(GPUS))


def replace_slices(driver: Driver) -> None:
    driver.gpus[1].clear()
    driver.gpus[1].create("3g.40gb")


def change_instances(run: FaultRun, change: Callable[[Driver], object], count: int) -> None:
    run.change_driver("node-1", change)
    run.wait_for_report("node-1", lambda report: len(report.gpus[0].instances) == count)


def add_bare_instance(driver: Driver) -> None:
    created = driver.gpus[0].create("1g.10gb")
    driver.gpus[0].instances[-1] = replace(created, compute=())


def change_gpus(run: FaultRun, change: Callable[[Driver], object], count: int) -> None:
    run.change_driver("node-1", change)
    run.wait_for_report("node-1", lambda report: len(report.gpus) == count)


def inject_nvml_error(run: FaultRun) -> None:
    run.inject(NodeFault.PROBE_NVML_ERROR, "node-1")
    run.wait_for_report("node-1", lambda report: report.errors)


GPU_DRIFT = [
    Fault(
        "a node reboots between two updates",
        "no GPU instance survives a reboot, and on Hopper the MIG mode does not either (MIG User Guide)",
        reboot,
        Outcome.SUCCEEDED,
        written=("node-1",),
        preview=(
            "drift: layout lost: node-1: GPU 0: expected 7x 1g.10gb, found MIG off",
            "drift: layout lost: node-1: GPU 1: expected 7x 1g.10gb, found MIG off",
        ),
        remedies=("node-1: restarted MIG Manager (layout lost)",),
        target=OLD,
    ),
    Fault(
        "a slice is destroyed between two updates",
        "another user ran `nvidia-smi mig -dgi`",
        lambda run: change_slices(run, lambda driver: driver.gpus[0].destroy(driver.gpus[0].instances[0].id)),
        Outcome.SUCCEEDED,
        written=("node-1",),
        preview=("drift: slice missing: node-1: GPU 0: expected 7x 1g.10gb, found 6x 1g.10gb",),
        remedies=("node-1: restarted MIG Manager (slice missing)",),
        target=OLD,
    ),
    Fault(
        "a GPU has an unexpected slice",
        "another user partitioned the GPU with `nvidia-smi mig -cgi`",
        lambda run: change_slices(run, replace_slices),
        Outcome.SUCCEEDED,
        written=("node-1",),
        preview=("drift: unexpected slice: node-1: GPU 1: expected 7x 1g.10gb, found 3g.40gb",),
        remedies=("node-1: restarted MIG Manager (unexpected slice)",),
        target=OLD,
    ),
    Fault(
        "a GPU instance without a compute instance",
        "another user ran `nvidia-smi mig -cgi` without `-C`: the instance holds memory, and MIG Manager ignores it",
        lambda run: change_instances(run, add_bare_instance, 2),
        Outcome.FAILED,
        written=(),
        preview=(f"drift: {BARE}",),
        error=differs(BARE, see=(), then=KEPT.replace("notebooks-255390f5", SPARSE.config_name)),
        pool_before={"layout": SPARSE},
        fix="the instance is destroyed by hand",
        apply_fix=lambda run: change_instances(run, lambda driver: driver.gpus[0].destroy(7), 1),
        target=SPARSE,
    ),
    Fault(
        "a GPU's MIG mode waits for a reset between two updates",
        "another user ran `nvidia-smi -mig 0` (MIG User Guide)",
        lambda run: set_pending_mode(run, mode=False),
        Outcome.FAILED,
        written=(),
        preview=(f"drift: {RESET_PENDING}",),
        error=differs(RESET_PENDING, see=(), then=KEPT),
        fix="the node is rebooted",
        apply_fix=lambda run: set_pending_mode(run, mode=True),
        target=OLD,
    ),
    Fault(
        "a GPU is missing",
        "it fell off the bus, and the driver was restarted without it",
        lambda run: change_gpus(run, lambda driver: driver.gpus.pop(), 1),
        Outcome.FAILED,
        written=(),
        preview=(f"drift: {FEWER_GPUS}",),
        error=differs(FEWER_GPUS, see=(CONDITIONS,), then=KEPT),
        fix="the GPU is replaced",
        apply_fix=lambda run: change_gpus(run, lambda driver: driver.gpus.append(new_gpu("node-1", 1, GPU)), 2),
        target=OLD,
    ),
    Fault(
        "NVML returns an error between two updates",
        "XID 79: a GPU fell off the bus (NVIDIA XID catalog)",
        inject_nvml_error,
        Outcome.FAILED,
        written=(),
        preview=(f"drift: {NVML_ERROR}",),
        error=differs(NVML_ERROR, see=(KERNEL_LOG,), then=KEPT),
        fix="the node is rebooted",
        apply_fix=restart_probe,
        target=OLD,
    ),
]
