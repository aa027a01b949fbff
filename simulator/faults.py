"""Bad days by name. A node has those that its annotation lists; they stay until they are taken off it."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

ANNOTATION: Final = "simulator.mig-fleet.dev/faults"
"""Node annotation: fault names separated by commas. On the node, so that everyone sees what is being played."""


class Fault(StrEnum):
    """What can be played on a node; ``meaning`` says what is imitated."""

    MANAGER_FAILS = "manager-fails"
    MANAGER_STUCK_PENDING = "manager-stuck-pending"
    MANAGER_CREATES_NOTHING = "manager-creates-nothing"
    MANAGER_SLOW = "manager-slow"
    STALE_ALLOCATABLE = "stale-allocatable"
    PROBE_NVML_ERROR = "probe-nvml-error"
    CONFIG_MAP_LATE = "config-map-late"

    @property
    def meaning(self) -> str:
        return MEANINGS[self]


MEANINGS: Final[Mapping[Fault, str]] = {
    Fault.MANAGER_FAILS: (
        "every apply ends in state failed with the GPUs as they were, and nothing retries (gpu-operator#2874: the "
        "manager started before the driver's libraries were there)"
    ),
    Fault.MANAGER_STUCK_PENDING: (
        "waiting for the operands times out: state pending for good, operands paused, the node offers no GPUs "
        "(gpu-operator#2833; mig-parted#485)"
    ),
    Fault.MANAGER_CREATES_NOTHING: (
        "every apply destroys the instances, creates none and reports success (what mig-parted 0.15.0 does with a "
        "profile that no GPU of the node has)"
    ),
    Fault.MANAGER_SLOW: "an apply takes ten times as long, as on a node whose operands are slow to leave",
    Fault.STALE_ALLOCATABLE: (
        "the kubelet keeps offering what it offered before (k8s-device-plugin#214, gpu-operator#637: a cache of the "
        "plugin's or the kubelet's)"
    ),
    Fault.PROBE_NVML_ERROR: "NVML says 'GPU is lost' for every GPU, as after XID 79: the GPU fell off the bus",
    Fault.CONFIG_MAP_LATE: (
        "a changed ConfigMap takes 5 s to reach the node's pods (gpu-operator#891, mig-parted#100: kubelets project "
        "within about a minute, and MIG Manager reads what is there)"
    ),
}


def read(annotations: Mapping[str, str] | None) -> frozenset[Fault]:
    """The faults a node's annotations ask for; a name that is none of ours is as good as absent."""
    names = (annotations or {}).get(ANNOTATION, "").split(",")
    known = {str(fault): fault for fault in Fault}
    return frozenset(known[name.strip()] for name in names if name.strip() in known)


def write(faults: Iterable[Fault]) -> str | None:
    """The annotation's value; ``None`` takes it off."""
    return ",".join(sorted(faults)) or None
