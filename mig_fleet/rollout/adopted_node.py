"""A node that was only adopted: mig-fleet has not changed it yet, and it carries a config of others.

An adoption restarts nothing, and under a name of others MIG Manager would apply whatever it means there.
"""

from typing import Final

from mig_fleet.observed.operands import DEVICE_PLUGIN, DRA_PLUGIN
from mig_fleet.observed.snapshot import Node
from mig_fleet.rollout.paused_operands import restore_operands_command
from mig_fleet.rollout.remedy import Remedy
from mig_fleet.rollout.wave import Wave

NOTHING: Final = "nothing was restarted, because mig-fleet has not changed this node yet"


def is_only_adopted(wave: Wave, node: Node) -> bool:
    return node.attempt is None and node.config != wave.config


def way_out(wave: Wave, remedy: Remedy, node: Node) -> str:
    """Why a remedy was not used there, and what to do by hand."""
    if remedy is Remedy.RESTORE_OPERANDS:
        return f"{NOTHING}; restore its paused operands: `{restore_operands_command(node)}`"
    if remedy not in (Remedy.RESTART_PLUGIN, Remedy.RESTART_DRA_PLUGIN):
        return f"{NOTHING}; the next preview shows what an update changes there"
    is_dra = remedy is Remedy.RESTART_DRA_PLUGIN
    what = "the DRA driver's plugin" if is_dra else "the device plugin"
    label = "=".join(DRA_PLUGIN) if is_dra else f"app={DEVICE_PLUGIN}"
    pods = f"kubectl -n {wave.dra_namespace if is_dra else wave.namespace} delete pods -l {label}"
    return f"{NOTHING}; restart {what}: `{pods} --field-selector spec.nodeName={node.name}`"
