"""What a plain preview finds on GPUs: the stack did not change, and what NVML has did."""

from collections.abc import Callable
from dataclasses import replace

from mig_fleet.simulator import Fault as NodeFault
from mig_fleet.simulator.driver import Driver
from mig_fleet.simulator.driver.gpu import new_gpu
from tests.faults.fault import Fault, Outcome
from tests.faults.ground import GPU, GPUS, MANAGER, OLD, SPARSE
from tests.faults.stage import Stage
from tests.faults.table.nodes import pending_mode
from tests.faults.table.probes import LOST, probe_runs
from tests.faults.table.wording import CONDITIONS, KEPT, PROBES_LOG, differs

UNREADABLE = f"driver error: node-1: {LOST}"
FEWER = "other GPUs: node-1: expected 2 GPUs, NVML has 1"
PENDING = "GPU reset pending: node-1: GPU 0: a change of the MIG mode waits for a GPU reset; drain and reboot the node"
BARE = (
    "bare GPU instance: node-1: GPU 0: GPU instance 7 (1g.10gb) has no compute instance, and MIG Manager passes over "
    "it; destroy it there: `nvidia-smi mig -i 0 -dgi -gi 7`"
)


def rebooted(stage: Stage) -> None:
    """A manager that starts would apply the label again; this one's watch ends with the machine."""
    stage.inject(NodeFault.MANAGER_SILENT, "node-1")
    stage.fleet.reboot("node-1")
    stage.until_reported("node-1", lambda report: report.counts() == (None,) * GPUS)
    stage.api.when("DELETE", f"/pods/{MANAGER}", lambda: stage.heal("node-1"))


def cut_by_hand(stage: Stage, change: Callable[[Driver], object]) -> None:
    stage.driver("node-1", change)
    stage.until_reported("node-1", lambda report: report.counts() != OLD.per_gpu(GPUS))


def foreign_slice(driver: Driver) -> None:
    driver.gpus[1].clear()
    driver.gpus[1].create("3g.40gb")


def instances(stage: Stage, change: Callable[[Driver], object], count: int) -> None:
    stage.driver("node-1", change)
    stage.until_reported("node-1", lambda report: len(report.gpus[0].instances) == count)


def bare_instance(driver: Driver) -> None:
    made = driver.gpus[0].create("1g.10gb")
    driver.gpus[0].instances[-1] = replace(made, compute=())


def gpus(stage: Stage, change: Callable[[Driver], object], count: int) -> None:
    stage.driver("node-1", change)
    stage.until_reported("node-1", lambda report: len(report.gpus) == count)


DRIFT_OF_GPUS = [
    Fault(
        "a node reboots between two updates",
        "no GPU instance survives a reboot, and on Hopper the MIG mode does not either (MIG User Guide)",
        rebooted,
        Outcome.GOES_ON,
        touched=("node-1",),
        previews=(
            "drift: layout lost: node-1: GPU 0: expected 7x 1g.10gb, found MIG off",
            "drift: layout lost: node-1: GPU 1: expected 7x 1g.10gb, found MIG off",
        ),
        recovers=("node-1: MIG Manager was started over (layout lost)",),
        target=OLD,
    ),
    Fault(
        "a slice is destroyed between two updates",
        "somebody's `nvidia-smi mig -dgi`",
        lambda stage: cut_by_hand(stage, lambda driver: driver.gpus[0].destroy(driver.gpus[0].instances[0].id)),
        Outcome.GOES_ON,
        touched=("node-1",),
        previews=("drift: slice destroyed: node-1: GPU 0: expected 7x 1g.10gb, found 6x 1g.10gb",),
        recovers=("node-1: MIG Manager was started over (slice destroyed)",),
        target=OLD,
    ),
    Fault(
        "a foreign slice is there",
        "somebody's `nvidia-smi mig -cgi` on a GPU that was cut anew by hand",
        lambda stage: cut_by_hand(stage, foreign_slice),
        Outcome.GOES_ON,
        touched=("node-1",),
        previews=("drift: foreign slice: node-1: GPU 1: expected 7x 1g.10gb, found 3g.40gb",),
        recovers=("node-1: MIG Manager was started over (foreign slice)",),
        target=OLD,
    ),
    Fault(
        "a GPU instance without a compute instance",
        "somebody's `nvidia-smi mig -cgi` without `-C`: it holds memory, and MIG Manager passes over it",
        lambda stage: instances(stage, bare_instance, 2),
        Outcome.FAILED,
        touched=(),
        previews=(f"drift: {BARE}",),
        reads=differs(BARE, see=(), then=KEPT.replace("notebooks-255390f5", SPARSE.config_name)),
        first={"layout": SPARSE},
        cure="it is destroyed by hand",
        end=lambda stage: instances(stage, lambda driver: driver.gpus[0].destroy(7), 1),
        target=SPARSE,
    ),
    Fault(
        "a GPU's MIG mode waits for a reset between two updates",
        "somebody's `nvidia-smi -mig 0` (MIG User Guide)",
        lambda stage: pending_mode(stage, mode=False),
        Outcome.FAILED,
        touched=(),
        previews=(f"drift: {PENDING}",),
        reads=differs(PENDING, see=(), then=KEPT),
        cure="the node is rebooted",
        end=lambda stage: pending_mode(stage, mode=True),
        target=OLD,
    ),
    Fault(
        "a GPU is gone",
        "it fell off the bus, and the driver was started again without it",
        lambda stage: gpus(stage, lambda driver: driver.gpus.pop(), 1),
        Outcome.FAILED,
        touched=(),
        previews=(f"drift: {FEWER}",),
        reads=differs(FEWER, see=(CONDITIONS,), then=KEPT),
        cure="another one is put in",
        end=lambda stage: gpus(stage, lambda driver: driver.gpus.append(new_gpu("node-1", 1, GPU)), 2),
        target=OLD,
    ),
    Fault(
        "NVML answers with an error between two updates",
        "XID 79: a GPU fell off the bus (NVIDIA XID catalog)",
        lambda stage: (
            stage.inject(NodeFault.PROBE_NVML_ERROR, "node-1"),
            stage.until_reported("node-1", lambda report: report.errors),
        ),
        Outcome.FAILED,
        touched=(),
        previews=(f"drift: {UNREADABLE}",),
        reads=differs(UNREADABLE, see=(PROBES_LOG,), then=KEPT),
        cure="the node is rebooted",
        end=probe_runs,
        target=OLD,
    ),
]
