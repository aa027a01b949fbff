"""What NVIDIA's tools leave wrong on a node, and the remedies.

==========================  =======================================  ============================================
observed                    remedy                                   why it is needed
==========================  =======================================  ============================================
`failed`, or `success`      restart MIG Manager's pod on the node,   it reacts to a changed label *value* and to its
with the wrong slices       with the same config                     own start, and never retries (gpu-operator #2874)
no state for two minutes    the same                                 an update that was killed between the two writes
                                                                     of this remedy leaves none
`pending`, stuck            restore the paused operands, then        an error while it waits for them leaves `pending`
                            restart its pod                          for good (gpu-operator #2833, mig-parted #485)
`success` or `failed`, and  restore them                             after a first success it forgets them
operands still paused                                                (:mod:`mig_fleet.rollout.paused_operands`)
slices right, allocatable   restart the device plugin's pod on the   it registers once, when it starts
not                         node                                     (k8s-device-plugin #214, gpu-operator #637)
slices right, published     restart the DRA driver's plugin on the   it reads NVML once, when it starts
devices not                 node (:mod:`~…rollout.dra_plugin`)       (dra-driver-nvidia-gpu v0.4.1)
==========================  =======================================  ============================================
"""

from enum import StrEnum

from mig_fleet.observed.drift import DriftClass

WRONG = frozenset(
    {
        DriftClass.MANAGER_FAILED,
        DriftClass.LAYOUT_LOST,
        DriftClass.SLICE_MISSING,
        DriftClass.SLICE_UNEXPECTED,
    }
)
"""Differences that only a restart of MIG Manager repairs."""


class Remedy(StrEnum):
    """What was done, as outputs and errors print it."""

    RESTART_MANAGER = "restarted MIG Manager"
    RESTORE_OPERANDS = "restored the paused operands"
    RESTORE_AND_RESTART = "restored the paused operands and restarted MIG Manager"
    RESTART_PLUGIN = "restarted the device plugin"
    RESTART_DRA_PLUGIN = "restarted the DRA driver's plugin"
