"""Operands that an operator of others does not run, and without which no update of this program would end; with DRA
also the device plugin, which it must not run.

The chart values of an operator that this program installs are checked before (policies/operand_values.py).
"""

from typing import Any, Final

from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.errors import ClusterError
from mig_fleet.observed.operands import CLUSTER_POLICIES
from mig_fleet.rollout.wave import Wave

DEVICE_PLUGIN: Final = "devicePlugin"
TWO_PARTIES: Final = (
    "the ClusterPolicy runs the device plugin, which would offer the slices that NVIDIA's DRA driver publishes; set "
    "the chart value devicePlugin.enabled to false, or operator.allocation: devicePlugin"
)
CONSEQUENCES: Final = {
    DEVICE_PLUGIN: "no slice is offered to the kubelet, and an update waits for that",
    "gfd": "no node gets the labels that MIG Manager starts by, and an update waits for its counts of slices",
    "migManager": "no GPU is repartitioned",
}
"""Section of the ClusterPolicy with a key ``enabled`` → what follows if it is false."""


def missing_operands(wave: Wave, cluster: Cluster) -> list[str]:
    """One sentence for each operand that the ClusterPolicy switches off, and with DRA for a device plugin that it runs,
    with the ways out; nothing if it may not be read.
    """
    if wave.operator_managed:
        return []
    try:
        policies = cluster.custom_objects(*CLUSTER_POLICIES) or []
    except ClusterError:
        return []
    running = [policy for policy in policies if not _is_off(policy, DEVICE_PLUGIN)]
    return [
        *([TWO_PARTIES] if wave.is_dra and running else []),
        *(
            f"the ClusterPolicy has {section}.enabled: false, so {what}; set the chart value {section}.enabled to "
            "true, or leave these nodes out of the stack"
            for section, what in CONSEQUENCES.items()
            if any(_is_off(policy, section) for policy in policies) and not (wave.is_dra and section == DEVICE_PLUGIN)
        ),
    ]


def _is_off(policy: Any, section: str) -> bool:
    found = (policy.get("spec") or {}).get(section)
    return isinstance(found, dict) and found.get("enabled") is False
