"""What the DRA driver must publish for a node, by the node's report.

=======================  =============================================================================================
GPU                      devices (dra-driver-nvidia-gpu v0.4.1, nvlib.go, `GetPerGpuAllocatableDevices`)
=======================  =============================================================================================
MIG off, or no MIG       the whole GPU
MIG on                   each MIG device: each compute instance of each GPU instance
MIG on without slices    none
=======================  =============================================================================================

The driver knows only compute instances that span their whole GPU instance, and another one ends it at its start.
"""

from mig_fleet.model.dra.device import GPU, MIG, DraDevice
from mig_fleet.model.report import Report


def expected_devices(report: Report) -> tuple[DraDevice, ...]:
    """Every device, sorted by its place. Without UUIDs of MIG devices in the report their ``uuid`` is empty."""
    found: list[DraDevice] = []
    for gpu in report.gpus:
        if not gpu.mig_mode_current:
            found.append(DraDevice("", -1, "", gpu.uuid, GPU))
            continue
        found += [
            DraDevice(gpu.uuid, instance.start, compute.profile, compute.mig_uuid or "", MIG, size=instance.size)
            for instance in gpu.instances
            for compute in instance.compute_instances
        ]
    return tuple(sorted(found))
