"""Compares what NVIDIA's DRA driver has published of a node with the node's report. Pure.

The driver's kubelet plugin reads NVML once, when it starts (dra-driver-nvidia-gpu v0.4.1), and what it has published
outlives it. So after each change of the slices it publishes the old ones until it is restarted.
"""

from mig_fleet.model.dra import device_differences, dynamic_devices, expected_devices
from mig_fleet.model.report import Report
from mig_fleet.observed.drift import Difference, DriftClass
from mig_fleet.observed.snapshot import Node

NOT_PUBLISHED = "NVIDIA's DRA driver has published no device of it; its kubelet plugin must run there"
INCOMPLETE = "NVIDIA's DRA driver is still publishing its devices"
DYNAMIC = (
    "NVIDIA's DRA driver runs with the feature gate DynamicMIG, and destroys slices that it did not make; set "
    "featureGates.DynamicMIG to false in its chart"
)


def device_drift(node: Node) -> list[Difference]:
    """Every difference of the published devices; nothing if they were not read. Needs a report that is current."""
    published = node.published
    if published is None or node.report is None:
        return []
    if is_dynamic(node):
        return [Difference(DriftClass.DYNAMIC_MIG, node.name, DYNAMIC)]
    texts = [*published.unreadable, *([] if published.is_complete else [INCOMPLETE])]
    texts = texts or _compared(node.report, node)
    return [Difference(DriftClass.DEVICES_STALE, node.name, text) for text in texts]


def is_dynamic(node: Node) -> bool:
    """Whether the DRA driver partitions the GPUs of this node itself."""
    return node.published is not None and bool(dynamic_devices(node.published.devices))


def _compared(report: Report, node: Node) -> list[str]:
    devices = node.published.devices if node.published else ()
    return [NOT_PUBLISHED] if not devices and expected_devices(report) else device_differences(report, devices)
