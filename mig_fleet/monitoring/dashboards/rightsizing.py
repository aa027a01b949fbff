"""Slices that are too large for their pods, or idle."""

from typing import Final

from mig_fleet.monitoring.alerts.thresholds import IDLE_BELOW
from mig_fleet.monitoring.dashboards import tables
from mig_fleet.monitoring.dashboards.expressions import SLICE
from mig_fleet.monitoring.dashboards.queries import Query
from mig_fleet.monitoring.dashboards.scope import Scope
from mig_fleet.monitoring.dashboards.sdk import models
from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.monitoring.promql import by, one_of, text
from mig_fleet.monitoring.series import ACTIVITY, MEMORY_RATIO
from mig_fleet.monitoring.spellings import catalog_names

_COLUMNS: Final = (*SLICE, "namespace", "pod")
_SAME: Final = "on (node, uuid, slice, namespace, pod, container)"
_WITH_POD: Final = 'pod!=""'


def candidates(fleet: MonitoredFleet, scope: Scope) -> models.Panel:
    """Of pods that still have their slice: a window has values of pods that are gone, too. A step of five minutes keeps
    a week of a large fleet within Prometheus' limit of samples.
    """
    larger = f"profile!~{text(one_of(sorted(_smallest(fleet))))}"
    held = scope.rows(ACTIVITY, _WITH_POD)
    active = f"(quantile_over_time(0.95, {scope.rows(ACTIVITY, _WITH_POD, larger)}[7d:5m]) < 0.3)"
    stored = f"(max_over_time({scope.rows(MEMORY_RATIO, _WITH_POD, larger)}[7d:5m]) < 0.5)"
    return tables.rows(
        "Candidates for a smaller profile",
        "Pods whose slice was under 30 % active for 95 % of the last week and never used half of its memory. Activity "
        "on a GPU with unequal slices is uncertain. `mig-fleet advise` has the confidence of each finding, and the "
        "change of the stack file.",
        "percentunit",
        _COLUMNS,
        Query(f"max{by(_COLUMNS)} ({active} and {_SAME} {stored} and {_SAME} {held})", "activity, 95 % of the time"),
        Query(f"max{by(_COLUMNS)} ({stored} and {_SAME} {active} and {_SAME} {held})", "most memory"),
        empty="No candidate",
    )


def idle(scope: Scope) -> models.Panel:
    held = scope.rows(ACTIVITY, _WITH_POD)
    quiet = f"max_over_time({held}[30m:1m]) < {IDLE_BELOW} and {held}"
    return tables.rows(
        "Idle slices with a pod",
        "Slices that a pod has and that computed nothing in the last 30 minutes.",
        "percentunit",
        _COLUMNS,
        Query(f"max{by(_COLUMNS)} ({quiet})", "most activity"),
        empty="No idle slice",
    )


def _smallest(fleet: MonitoredFleet) -> set[str]:
    """All spellings of the profiles that no other profile of their GPU is smaller than."""
    found: set[str] = set()
    for model in fleet.by_model():
        sizes = {name: (row.compute_slices, row.memory_slices) for name, row in model.profiles.items()}
        least = min(sizes.values())
        found.update(spelling for spelling, name in catalog_names(model).items() if sizes[name] == least)
    return found
