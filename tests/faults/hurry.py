"""The product's long waits, shortened.

They are minutes because kubelets, GPU Feature Discovery and device plugins take their time; the simulated ones do not.
Only lengths are changed: what is waited for, and what happens at the end of it, is the product's own.
"""

from functools import partial
from types import ModuleType
from typing import Any

import yaml

from mig_fleet.cluster import connection
from mig_fleet.rollout import assign as handover
from mig_fleet.rollout import context as order
from mig_fleet.rollout import convergence as gate
from mig_fleet.rollout import drain, recovery
from mig_fleet.rollout import propagation as barrier
from mig_fleet.rollout import reconfigure as change

CHANGES: dict[ModuleType, dict[str, Any]] = {
    order: {"POLL_S": 0.15},
    handover: {"POLL_S": 0.15},
    gate: {"POLL_S": 0.15, "CONVERGENCE_S": 5.0},
    change: {"POLL_S": 0.15},
    drain: {"POLL_S": 0.15, "ASK_AGAIN_S": 0.2},
    barrier: {"POLL_S": 0.15, "WITHIN_S": 2.0, "BLIND_S": 0.5},
    recovery: {"STALE_S": 1.5, "UNHEARD_S": 2.5, "ALONE_S": 0.5},
    connection: {"CALL_TIMEOUT_S": 2.0, "FIRST_PAUSE_S": 0.05},
    # A kubeconfig is read for every look; in C that takes a tenth of the time.
    yaml: {"safe_load": partial(yaml.load, Loader=yaml.CSafeLoader)},
}
"""Seconds, but for the last."""


def hurry() -> dict[tuple[ModuleType, str], Any]:
    """Shorten every wait; what they were, for putting them back."""
    before = {(module, name): getattr(module, name) for module, waits in CHANGES.items() for name in waits}
    for module, waits in CHANGES.items():
        for name, value in waits.items():
            setattr(module, name, value)
    return before
