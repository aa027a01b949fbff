"""The classes of drift, and one difference between the stack and a node."""

from dataclasses import dataclass
from enum import StrEnum


class DriftClass(StrEnum):
    """What kind of difference; docs/architecture.md explains each. Order: node, MIG Manager, NVML, kubelet, DRA
    driver, GFD."""

    NODE_MISSING = "node missing"
    NODE_REPLACED = "node replaced"
    NODE_TAKEN_OVER = "node taken over"
    CONFIG_CHANGED = "config changed"
    NOT_RECONCILED = "not reconciled"
    MANAGER_FAILED = "MIG Manager failed"
    NOT_READY = "node not Ready"
    REPORT_MISSING = "report missing"
    REPORT_STALE = "report stale"
    DRIVER_ERROR = "driver error"
    GPU_COUNT = "GPU count differs"
    RESET_PENDING = "GPU reset pending"
    LAYOUT_LOST = "layout lost"
    SLICE_MISSING = "slice missing"
    SLICE_UNEXPECTED = "unexpected slice"
    BARE_INSTANCE = "bare GPU instance"
    OPERANDS_PAUSED = "operands paused"
    RESOURCE_SHARED = "resource shared"
    ALLOCATABLE_STALE = "allocatable stale"
    DEVICES_STALE = "published devices stale"
    DYNAMIC_MIG = "DynamicMIG"
    GFD_LABELS_STALE = "GFD labels stale"
    STILL_ISOLATED = "still isolated"
    NOT_RECORDED = "verification not recorded"
    NODE_REMOVED = "node removed from pool"
    CONFIG_MAP_MISSING = "ConfigMap missing"
    CONFIG_MAP_EDITED = "ConfigMap edited"
    OBJECT_MISSING = "object missing"
    OBJECT_CHANGED = "object changed"


@dataclass(frozen=True)
class Difference:
    """One sentence about one node, about the layout file, or about another object of ours.

    Not a :class:`~mig_fleet.model.finding.Finding`: it is about the cluster and not about a place in a document, and
    its class decides how long the rollout waits and which remedy helps.
    """

    drift: DriftClass
    node: str
    """Empty for the layout file and the supporting objects."""
    text: str

    def __str__(self) -> str:
        return ": ".join(part for part in (str(self.drift), self.node, self.text) if part)
