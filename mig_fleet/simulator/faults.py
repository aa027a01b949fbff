"""Bad days by name. A node has those that its annotation lists; they stay until they are taken off it."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

ANNOTATION: Final = "simulator.mig-fleet.dev/faults"
"""Node annotation: fault names separated by commas. On the node, so that everyone sees what is being played."""

NVML_ERRORS: Final = "simulator.mig-fleet.dev/nvml-errors"
"""Node annotation: ``nvmlDeviceGetMigMode=15,…``, calls of the driver's library and the codes they shall end with."""


class Fault(StrEnum):
    """What can be played on a node; ``meaning`` says what is imitated."""

    NODE_NOT_READY = "node-not-ready"
    CLOCK_AHEAD = "clock-ahead"
    CLOCK_BEHIND = "clock-behind"
    CONFIG_MAP_LATE = "config-map-late"
    MODE_CHANGE_NEEDS_REBOOT = "mode-change-needs-reboot"
    MANAGER_FAILS = "manager-fails"
    MANAGER_FAILS_ONCE = "manager-fails-once"
    MANAGER_SILENT = "manager-silent"
    MANAGER_STUCK_PENDING = "manager-stuck-pending"
    MANAGER_WEDGED = "manager-wedged"
    MANAGER_CREATES_NOTHING = "manager-creates-nothing"
    MANAGER_ONE_SLICE_SHORT = "manager-one-slice-short"
    MANAGER_SLOW = "manager-slow"
    STALE_ALLOCATABLE = "stale-allocatable"
    PLUGIN_STALE = "plugin-stale"
    GFD_SLOW = "gfd-slow"
    GFD_STALE = "gfd-stale"
    PROBE_DEAD = "probe-dead"
    PROBE_NVML_ERROR = "probe-nvml-error"

    @property
    def meaning(self) -> str:
        return MEANINGS[self]


MEANINGS: Final[Mapping[Fault, str]] = {
    Fault.NODE_NOT_READY: (
        "the kubelet reports Ready=False because its container runtime does not answer: what runs goes on, no pod "
        "starts and none leaves (kubelet: 'PLEG is not healthy', pkg/kubelet/runtime.go)"
    ),
    Fault.CLOCK_AHEAD: "the clock of the node's programs is an hour ahead, as where no time service runs",
    Fault.CLOCK_BEHIND: "the clock of the node's programs is an hour behind, as where no time service runs",
    Fault.CONFIG_MAP_LATE: (
        "a changed ConfigMap takes 5 s to reach the node's pods (gpu-operator#891, mig-parted#100: kubelets project "
        "within about a minute, and MIG Manager reads what is there)"
    ),
    Fault.MODE_CHANGE_NEEDS_REBOOT: (
        "a new MIG mode stays pending until the node reboots, which MIG Manager does by itself with WITH_REBOOT=true "
        "(MIG user guide on Ampere GPUs with a client; mig-parted pkg/mig/reconfigure)"
    ),
    Fault.MANAGER_FAILS: (
        "every apply ends in state failed with the GPUs as they were, and nothing retries (gpu-operator#2874: the "
        "manager started before the driver's libraries were there)"
    ),
    Fault.MANAGER_FAILS_ONCE: (
        "the next apply ends in state failed, all later ones do what they shall (gpu-operator#2874: a new pod of the "
        "manager finds the driver's libraries)"
    ),
    Fault.MANAGER_SILENT: (
        "the manager's pod runs and does not react to the label, as after its watch ended unnoticed; there is no "
        "second look (mig-parted cmd/nvidia-mig-manager/main.go: an informer without resync)"
    ),
    Fault.MANAGER_STUCK_PENDING: (
        "waiting for the operands times out: state pending for good, operands paused, the node offers no GPUs "
        "(gpu-operator#2833; mig-parted#485)"
    ),
    Fault.MANAGER_WEDGED: (
        "as manager-stuck-pending, until the operands' deploy labels are restored and the manager gets a new pod "
        "(gpu-operator#2833 and #1845: what administrators do by hand)"
    ),
    Fault.MANAGER_CREATES_NOTHING: (
        "every apply destroys the instances, creates none and reports success (what mig-parted 0.15.0 does with a "
        "profile that no GPU of the node has)"
    ),
    Fault.MANAGER_ONE_SLICE_SHORT: (
        "every apply leaves the node one slice short and reports success (MIG Manager does not look again after an "
        "apply: mig-parted pkg/mig/reconfigure)"
    ),
    Fault.MANAGER_SLOW: "an apply takes ten times as long, as on a node whose operands are slow to leave",
    Fault.STALE_ALLOCATABLE: (
        "the kubelet keeps offering what it offered before (k8s-device-plugin#214, gpu-operator#637: a cache of the "
        "plugin's or the kubelet's)"
    ),
    Fault.PLUGIN_STALE: (
        "the device plugin's next pod registers what the one before it registered; the pod after that looks at the "
        "GPUs again (k8s-device-plugin#214: a restart of the plugin helps)"
    ),
    Fault.GFD_SLOW: "GPU Feature Discovery looks at the GPUs ten intervals late, as with a long sleep interval",
    Fault.GFD_STALE: (
        "GPU Feature Discovery writes no labels: the node keeps those from before (inferred from its interval: nothing "
        "tells it of a change)"
    ),
    Fault.PROBE_DEAD: "the probe's program ends with an error as soon as it starts: its pod is in a crash loop",
    Fault.PROBE_NVML_ERROR: "NVML says 'GPU is lost' for every GPU, as after XID 79: the GPU fell off the bus",
}

GPU_IS_LOST: Final = {"nvmlDeviceGetHandleByIndex_v2": 15}


def read(annotations: Mapping[str, str] | None) -> frozenset[Fault]:
    """The faults a node's annotations ask for; a name that is none of ours is as good as absent."""
    names = (annotations or {}).get(ANNOTATION, "").split(",")
    known = {str(fault): fault for fault in Fault}
    return frozenset(known[name.strip()] for name in names if name.strip() in known)


def write(faults: Iterable[Fault]) -> str | None:
    """The annotation's value; ``None`` takes it off."""
    return ",".join(sorted(faults)) or None


def read_nvml_errors(annotations: Mapping[str, str] | None) -> dict[str, int]:
    """Every call that shall fail and its code, what :attr:`Fault.PROBE_NVML_ERROR` means included."""
    errors = listed_nvml_errors(annotations)
    return {**errors, **GPU_IS_LOST} if Fault.PROBE_NVML_ERROR in read(annotations) else errors


def listed_nvml_errors(annotations: Mapping[str, str] | None) -> dict[str, int]:
    """Call → code, as far as they are listed by name."""
    pairs = (entry.strip().partition("=") for entry in (annotations or {}).get(NVML_ERRORS, "").split(","))
    return {call: int(code) for call, _, code in pairs if call and code.isdigit()}


def write_nvml_errors(errors: Mapping[str, int]) -> str | None:
    """The annotation's value; ``None`` takes it off."""
    return ",".join(f"{call}={code}" for call, code in sorted(errors.items())) or None
