"""Faults by name. A node has the faults in its annotation, until they are removed from it."""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

ANNOTATION: Final = "simulator.mig-fleet.dev/faults"
"""Node annotation: fault names separated by commas. It is on the node, so every user of the cluster sees the faults."""

NVML_ERRORS: Final = "simulator.mig-fleet.dev/nvml-errors"
"""Node annotation: ``nvmlDeviceGetMigMode=15,…``, functions of the NVML library and the codes that they return."""

XIDS: Final = "simulator.mig-fleet.dev/xids"
"""Node annotation: ``0/7=94,1=79``, the last XID of a GPU instance (GPU index, id of the instance), or of a GPU without
MIG."""


class Fault(StrEnum):
    """The faults of a node; ``meaning`` describes the real failure that a fault imitates."""

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
    PLUGIN_SHARES = "plugin-shares"
    GFD_SLOW = "gfd-slow"
    GFD_STALE = "gfd-stale"
    PROBE_DEAD = "probe-dead"
    PROBE_NVML_ERROR = "probe-nvml-error"
    POD_RESOURCES_GONE_PODS = "pod-resources-gone-pods"
    POD_RESOURCES_STALE = "pod-resources-stale"
    POD_RESOURCES_SILENT = "pod-resources-silent"
    EXPORTER_SILENT = "exporter-silent"
    EXPORTER_STALE = "exporter-stale"
    EXPORTER_OLD = "exporter-old"
    EXPORTER_RENAMES = "exporter-renames"

    @property
    def meaning(self) -> str:
        return MEANINGS[self]


MEANINGS: Final[Mapping[Fault, str]] = {
    Fault.NODE_NOT_READY: (
        "the kubelet reports Ready=False because its container runtime does not respond: running containers continue, "
        "no pod starts or terminates (kubelet: 'PLEG is not healthy', pkg/kubelet/runtime.go)"
    ),
    Fault.CLOCK_AHEAD: "the clock of the node's programs is one hour ahead, as on a node without a time service",
    Fault.CLOCK_BEHIND: "the clock of the node's programs is one hour behind, as on a node without a time service",
    Fault.CONFIG_MAP_LATE: (
        "a changed ConfigMap takes 5 s to reach the node's pods (gpu-operator#891, mig-parted#100: a kubelet projects "
        "changes within about a minute, and MIG Manager reads the file as it is)"
    ),
    Fault.MODE_CHANGE_NEEDS_REBOOT: (
        "a new MIG mode stays pending until the node reboots; with WITH_REBOOT=true MIG Manager reboots it (MIG user "
        "guide on Ampere GPUs with a client; mig-parted pkg/mig/reconfigure)"
    ),
    Fault.MANAGER_FAILS: (
        "every apply ends in state failed, the GPUs do not change, and MIG Manager does not retry (gpu-operator#2874: "
        "MIG Manager started before the driver's libraries were installed)"
    ),
    Fault.MANAGER_FAILS_ONCE: (
        "the next apply ends in state failed, all later ones succeed (gpu-operator#2874: a new pod of MIG Manager "
        "finds the driver's libraries)"
    ),
    Fault.MANAGER_SILENT: (
        "MIG Manager's pod runs but does not react to the config label, as after its watch ended without an error; "
        "it never lists again (mig-parted cmd/nvidia-mig-manager/main.go: an informer without resync)"
    ),
    Fault.MANAGER_STUCK_PENDING: (
        "MIG Manager times out while it waits for the operands: the state stays pending, the operands stay paused, "
        "and the node offers no GPUs (gpu-operator#2833; mig-parted#485)"
    ),
    Fault.MANAGER_WEDGED: (
        "like manager-stuck-pending, until the operands' deploy labels are restored and MIG Manager gets a new pod "
        "(gpu-operator#2833 and #1845: the manual fix of administrators)"
    ),
    Fault.MANAGER_CREATES_NOTHING: (
        "every apply destroys the instances, creates none and reports success (mig-parted 0.15.0 does this for a "
        "profile that no GPU of the node has)"
    ),
    Fault.MANAGER_ONE_SLICE_SHORT: (
        "every apply creates one slice too few on the node and reports success (MIG Manager does not verify after an "
        "apply: mig-parted pkg/mig/reconfigure)"
    ),
    Fault.MANAGER_SLOW: "an apply takes ten times as long, as on a node where the operands terminate slowly",
    Fault.STALE_ALLOCATABLE: (
        "the kubelet keeps its earlier allocatable resources (k8s-device-plugin#214, gpu-operator#637: a cache of the "
        "device plugin or the kubelet)"
    ),
    Fault.PLUGIN_STALE: (
        "the device plugin's next pod registers the resources of the pod before it; the pod after that reads the GPUs "
        "again (k8s-device-plugin#214: a restart of the plugin helps)"
    ),
    Fault.PLUGIN_SHARES: (
        "the device plugin's next pod offers each device twice, and GPU Feature Discovery labels it as shared: a "
        "config of the plugin has time-slicing (k8s-device-plugin README, Shared Access to GPUs; gpu-operator#1287)"
    ),
    Fault.GFD_SLOW: "GPU Feature Discovery reads the GPUs ten intervals late, as with a long sleep interval",
    Fault.GFD_STALE: (
        "GPU Feature Discovery writes no labels: the node keeps its earlier labels (inferred: it polls, and no event "
        "reports a change to it)"
    ),
    Fault.PROBE_DEAD: "the probe's program exits with an error as soon as it starts: its pod is in a crash loop",
    Fault.PROBE_NVML_ERROR: "NVML returns 'GPU is lost' for every GPU, as after XID 79: the GPU fell off the bus",
    Fault.POD_RESOURCES_GONE_PODS: (
        "the kubelet lists pods that ended after the fault was injected, with the devices that they had "
        "(kubernetes#119423, kubernetes#132020: before Kubernetes 1.34 the list has terminated pods)"
    ),
    Fault.POD_RESOURCES_STALE: (
        "the kubelet lists device IDs that do not exist (inferred: a slice that was created again can have a new UUID, "
        "and the kubelet keeps the IDs from the pod's start)"
    ),
    Fault.POD_RESOURCES_SILENT: "the kubelet accepts calls of its PodResources API and does not answer them",
    Fault.EXPORTER_SILENT: (
        "dcgm-exporter's pod runs, and its scrapes fail (dcgm-exporter#599: it hangs on H100 and H200 with many slices)"
    ),
    Fault.EXPORTER_STALE: (
        "dcgm-exporter repeats the values of the fault's first scrape (inferred: it renders the last values that DCGM "
        "has, and DCGM's host engine may hang)"
    ),
    Fault.EXPORTER_OLD: (
        "dcgm-exporter is older than 4.8.3: it labels series with Hostname, and knows no new names of fields "
        "(dcgm-exporter 4.8.3: 'Rename Hostname label to hostname')"
    ),
    Fault.EXPORTER_RENAMES: (
        "dcgm-exporter writes the new names and units of fields, although its list has the old ones (release notes of "
        "4.9.0; that lists with old names keep them is unverified on hardware)"
    ),
}

OF_SIMULATED_MANAGER: Final = frozenset(
    {Fault.MODE_CHANGE_NEEDS_REBOOT, *(fault for fault in Fault if fault.startswith("manager-"))}
)
"""The faults that need the simulated MIG Manager: NVIDIA's own one does not have them."""

GPU_IS_LOST: Final = {"nvmlDeviceGetHandleByIndex_v2": 15}


def read(annotations: Mapping[str, str] | None) -> frozenset[Fault]:
    """The faults in a node's annotations; unknown names are ignored."""
    names = (annotations or {}).get(ANNOTATION, "").split(",")
    known = {str(fault): fault for fault in Fault}
    return frozenset(known[name.strip()] for name in names if name.strip() in known)


def write(faults: Iterable[Fault]) -> str | None:
    """The annotation's value; ``None`` removes the annotation."""
    return ",".join(sorted(faults)) or None


def read_nvml_errors(annotations: Mapping[str, str] | None) -> dict[str, int]:
    """NVML function → error code, from both annotations: :attr:`Fault.PROBE_NVML_ERROR` adds one."""
    errors = listed_nvml_errors(annotations)
    return {**errors, **GPU_IS_LOST} if Fault.PROBE_NVML_ERROR in read(annotations) else errors


def listed_nvml_errors(annotations: Mapping[str, str] | None) -> dict[str, int]:
    """NVML function → error code, from :data:`NVML_ERRORS` alone."""
    pairs = (entry.strip().partition("=") for entry in (annotations or {}).get(NVML_ERRORS, "").split(","))
    return {call: int(code) for call, _, code in pairs if call and code.isdigit()}


def read_xids(annotations: Mapping[str, str] | None) -> dict[tuple[int, int], int]:
    """(GPU index, id of the GPU instance; 0 without MIG) → the last XID, from :data:`XIDS`."""
    places = re.finditer(r"(\d+)(?:/(\d+))?=(\d+)", (annotations or {}).get(XIDS, ""))
    return {(int(place[1]), int(place[2] or 0)): int(place[3]) for place in places}


def write_nvml_errors(errors: Mapping[str, int]) -> str | None:
    """The annotation's value; ``None`` removes the annotation."""
    return ",".join(f"{call}={code}" for call, code in sorted(errors.items())) or None
