"""The table: every fault, by what goes wrong."""

from tests.faults.fault import Fault
from tests.faults.table.api import API
from tests.faults.table.drift import DRIFT
from tests.faults.table.failure import FAILURE
from tests.faults.table.gpus import DRIFT_OF_GPUS
from tests.faults.table.leaving import LEAVING
from tests.faults.table.manager import MANAGER
from tests.faults.table.nodes import NODES
from tests.faults.table.people import PEOPLE
from tests.faults.table.pods import PODS
from tests.faults.table.probes import PROBES

FAULTS: dict[str, list[Fault]] = {
    "Nodes": NODES,
    "Drift: nodes and what runs on them": DRIFT,
    "Drift: GPUs": DRIFT_OF_GPUS,
    "MIG Manager and the operands": MANAGER,
    "Probes": PROBES,
    "Pods of users": PODS,
    "The API server": API,
    "Other people, other tools": PEOPLE,
    "Failed, watched and waiting waves": FAILURE,
    "Pools that leave the stack": LEAVING,
}
BY_NAME = {fault.name: fault for faults in FAULTS.values() for fault in faults}
