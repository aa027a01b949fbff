"""Slices that are declared, reported by the GPUs, offered by the kubelets and requested by pods."""

from typing import Final

from mig_fleet.model.gpus import find
from mig_fleet.model.profiles import Profile
from mig_fleet.model.strategy import Strategy
from mig_fleet.monitoring.dashboards import panels, tables
from mig_fleet.monitoring.dashboards.colors import BLUE, ORANGE, in_order
from mig_fleet.monitoring.dashboards.queries import Query
from mig_fleet.monitoring.dashboards.scope import Scope
from mig_fleet.monitoring.dashboards.sdk import models
from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.monitoring.kube_state_metrics import spelled
from mig_fleet.monitoring.promql import literal, text
from mig_fleet.monitoring.series import ALLOCATABLE, DECLARED, REPORTED, REQUESTED

_SLICES: Final = 'profile!=""'


def compared(fleet: MonitoredFleet, scope: Scope) -> models.Panel:
    return panels.compared(
        "Requested and offered by profile",
        "Slices that running and scheduled pods request, and slices that the kubelets offer.",
        "none",
        "profile",
        Query(f"sum by (profile) ({_with_profile(fleet, scope.rows(REQUESTED))})", "requested"),
        Query(f"sum by (profile) ({_with_profile(fleet, scope.rows(ALLOCATABLE))})", "offered"),
        colors={"^requested$": ORANGE, "^offered$": BLUE},
    )


def over_time(fleet: MonitoredFleet, scope: Scope) -> models.Panel:
    return panels.lines(
        "Requested and offered over time",
        "Slices by profile: requested by running and scheduled pods, and, dashed, offered by the kubelets.",
        "none",
        Query(f"sum by (profile) ({_with_profile(fleet, scope.rows(REQUESTED))})", "{{profile}} requested"),
        Query(f"sum by (profile) ({_with_profile(fleet, scope.rows(ALLOCATABLE))})", "{{profile}} offered"),
        colors=in_order(f"^{literal(name)} " for name in _profiles(fleet)),
        dashed=" offered$",
    )


def free(fleet: MonitoredFleet, scope: Scope) -> models.Panel:
    offered, requested = scope.rows(ALLOCATABLE), scope.rows(REQUESTED)
    rows = _with_profile(fleet, f"({offered} - ({requested} or {offered} * 0))")
    return tables.rows(
        "Free slices",
        "Slices that a kubelet offers and no pod requests, by node and profile.",
        "none",
        ("node", "profile"),
        Query(f"sum by (node, profile) ({rows})", "free"),
    )


def declared_and_real(fleet: MonitoredFleet, scope: Scope) -> models.Panel:
    def column(rows: str, name: str) -> Query:
        return Query(f"sum by (node, profile) ({rows})", name)

    return tables.rows(
        "Declared, reported, offered, requested",
        "Slices by node and profile. Declared: by the config that was verified last on the node. Reported: by the "
        "exporter, from the GPUs. Offered: by the kubelet. A difference that lasts raises an alert.",
        "none",
        ("node", "profile"),
        column(scope.labeled(DECLARED, _SLICES), "declared"),
        column(scope.rows(REPORTED), "reported"),
        column(_with_profile(fleet, scope.rows(ALLOCATABLE)), "offered"),
        column(_with_profile(fleet, scope.rows(REQUESTED)), "requested"),
    )


def _with_profile(fleet: MonitoredFleet, rows: str) -> str:
    """Rows with node and resource, with the catalog's name of the profile as another label.

    Under strategy ``single`` all profiles have one resource, and a node has one profile: the declared one.
    """
    if fleet.strategy is Strategy.SINGLE:
        return f"{rows} * on (node) group_left (profile) (max by (node, profile) ({DECLARED}{{{_SLICES}}}) * 0 + 1)"
    found = f'label_replace({rows}, "profile", "$1.$2", "resource", "nvidia_com_mig_([0-9]+g)_([0-9]+gb)")'
    for name in _profiles(fleet):
        profile = Profile.parse(name)
        if not profile.is_plain:
            resource = text(literal(spelled(profile.resource)))
            found = f'label_replace({found}, "profile", "{name}", "resource", {resource})'
    return found


def _profiles(fleet: MonitoredFleet) -> list[str]:
    """The catalog's names of the profiles of all configs; of a part that of its GPU instance."""
    written = {
        (pool.gpu, name)
        for pool in fleet.pools
        for config in pool.configs.values()
        for profiles in config
        for name in profiles or {}
    }
    return sorted({find(gpu).profile(Profile.parse(name).whole).name for gpu, name in written})
