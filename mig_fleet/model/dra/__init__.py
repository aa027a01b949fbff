"""The devices that NVIDIA's DRA driver publishes for a node, and what they must be by the node's report. Pure.

DRA (Dynamic Resource Allocation) hands out devices by ResourceClaims instead of counted resources. The driver's kubelet
plugin lists each GPU and each MIG device of its node in ResourceSlices, with its place; the scheduler allocates them.
"""

from mig_fleet.model.dra.device import DRIVER, DraDevice, dynamic_devices
from mig_fleet.model.dra.differences import device_differences
from mig_fleet.model.dra.expected import expected_devices

__all__ = [
    "DRIVER",
    "DraDevice",
    "device_differences",
    "dynamic_devices",
    "expected_devices",
]
