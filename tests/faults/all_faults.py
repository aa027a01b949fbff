"""The table: every fault, by what goes wrong."""

from tests.faults.fault import Fault
from tests.faults.table.allocations import ALLOCATIONS
from tests.faults.table.api import API
from tests.faults.table.gpu_drift import GPU_DRIFT
from tests.faults.table.interrupted import INTERRUPTED
from tests.faults.table.kept_names import KEPT_NAMES
from tests.faults.table.manager import MANAGER
from tests.faults.table.node_drift import NODE_DRIFT
from tests.faults.table.nodes import NODES
from tests.faults.table.other_writers import OTHER_WRITERS
from tests.faults.table.owners import OWNERS
from tests.faults.table.pods import PODS
from tests.faults.table.probes import PROBES
from tests.faults.table.removal import REMOVAL
from tests.faults.table.stranding import STRANDING
from tests.faults.table.waves import WAVES

FAULTS: dict[str, list[Fault]] = {
    "Nodes": NODES,
    "Drift: nodes and their software": NODE_DRIFT,
    "Drift: GPUs": GPU_DRIFT,
    "MIG Manager and the other operands": MANAGER,
    "Probes": PROBES,
    "Pods of users": PODS,
    "Which pod has which slice": ALLOCATIONS,
    "Pods that would find no slice": STRANDING,
    "The API server": API,
    "Other users and tools": OTHER_WRITERS,
    "Owners of the cluster": OWNERS,
    "Config names and layout files of others": KEPT_NAMES,
    "Failed, soaking and waiting waves": WAVES,
    "Interrupted, halted and killed updates": INTERRUPTED,
    "Pools that are removed from the stack": REMOVAL,
}
BY_NAME = {fault.name: fault for faults in FAULTS.values() for fault in faults}
