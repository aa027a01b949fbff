"""What keeps NVIDIA's DRA driver from handing out the slices of a stack, for a preview. Pure."""

from collections.abc import Iterable

from mig_fleet.observed.published_devices import is_dynamic
from mig_fleet.observed.snapshot import Node


def dra_obstacles(nodes: Iterable[Node]) -> list[str]:
    """One sentence for all nodes whose DRA driver partitions their GPUs itself; empty if there is none."""
    names = sorted(node.name for node in nodes if is_dynamic(node))
    if not names:
        return []
    return [
        f"NVIDIA's DRA driver runs with the feature gate DynamicMIG on {', '.join(names)}: their MIG devices consume "
        "counters (consumesCounters of their ResourceSlices). At its start such a driver destroys every slice that it "
        "did not make, and switches MIG off; set featureGates.DynamicMIG to false in its chart, or leave these nodes "
        "out of the stack"
    ]


def without_driver(nodes: Iterable[Node]) -> list[str]:
    """One sentence for all nodes of which NVIDIA's DRA driver publishes nothing, in an update that switches the device
    plugin off: pods would get no slice there. A first update may install the driver in the same program.
    """
    names = sorted(node.name for node in nodes if node.published is None or not node.published.devices)
    if not names:
        return []
    return [
        f"NVIDIA's DRA driver publishes no device of {', '.join(names)}, and operator.allocation: dra switches the "
        "device plugin off, so no pod would get a slice there; install the driver's chart first "
        "(docs/how-to/claim-slices.md), or keep operator.allocation: devicePlugin"
    ]
