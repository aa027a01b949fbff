"""The product's long timeouts, shortened.

They are minutes because kubelets, GPU Feature Discovery and device plugins take their time; the simulated ones do not.
Only durations change: what the product waits for, and what it does after a timeout, stays the same.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from mig_fleet.cluster import connection
from mig_fleet.rollout import (
    context,
    convergence,
    drain,
    manager_file,
    propagation,
    reconfigure,
    recovery,
    silent_probes,
)
from mig_fleet.rollout.stranding import pending_pods

SHORT_S: dict[ModuleType, dict[str, float]] = {
    context: {"POLL_S": 0.15, "RETRY_S": 5.0},
    convergence: {"CONVERGENCE_S": 5.0},
    drain: {"EVICT_AGAIN_S": 0.2, "REPORT_WAIT_S": 3.0},
    reconfigure: {"REPORT_WAIT_S": 3.0},
    manager_file: {"RESTART_S": 2.0},
    propagation: {"WITHIN_S": 2.0, "UNREADABLE_S": 0.5},
    recovery: {"STALE_ALLOCATABLE_S": 1.5, "NO_STATE_S": 2.5, "NO_POD_S": 0.5, "REPORT_S": 2.0},
    silent_probes: {"GRACE_S": 1.0, "PAUSE_S": 0.3},
    pending_pods: {"SCHEDULING_S": 3.0},
    connection: {"CALL_TIMEOUT_S": 2.0, "FIRST_PAUSE_S": 0.05},
}
"""Module → constant → seconds."""


OF_ROLLOUT = ("timeout_seconds", "stuck_after_seconds")


def shorten_timeouts(times: float = 1) -> dict[tuple[ModuleType, str], float]:
    """Set every timeout to a multiple of its short value; returns the values before."""
    before = {(module, name): getattr(module, name) for module, constants in SHORT_S.items() for name in constants}
    for module, constants in SHORT_S.items():
        for name, seconds in constants.items():
            setattr(module, name, seconds * times)
    return before


def longer_rollout(rollout: Mapping[str, Any], times: float) -> dict[str, Any]:
    """The same for the arguments of a rollout."""
    return {key: value * times if key in OF_ROLLOUT else value for key, value in rollout.items()}
