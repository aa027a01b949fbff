"""What several panels ask of Prometheus."""

from typing import Final

from mig_fleet.monitoring.alerts.thresholds import IDLE_BELOW
from mig_fleet.monitoring.dashboards.colors import BLUE, GREY, ORANGE, PURPLE, SKY, VERMILION, by_number
from mig_fleet.monitoring.dashboards.queries import Query
from mig_fleet.monitoring.dashboards.scope import Scope
from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.monitoring.promql import by, one_of, text
from mig_fleet.monitoring.series import (
    ACTIVITY,
    ALLOCATABLE,
    CHANGING,
    DECLARED,
    GPU_ACTIVITY,
    PENDING,
    REQUESTED,
    SLICE_SHARE,
    STATE,
    WHOLE_GPU_ACTIVITY,
)

MOST_SLICES: Final = 512
"""Rows of a heat map; their values over six hours have four megabytes."""
SLICE: Final = ("node", "gpu", "profile", "slice")
"""Labels that distinguish slices for a reader; the UUID of a GPU says no more than its node and index."""
SLICE_LEGEND: Final = "{{node}} GPU {{gpu}} {{profile}} #{{slice}}"
GPU_LEGEND: Final = "{{node}} GPU {{gpu}}"
SLICE_COLORS: Final = by_number("#")
GPU_COLORS: Final = by_number("GPU ")

SLICE_STATES: Final = (("no pod", GREY), ("idle", ORANGE), ("busy", BLUE))
NODE_STATES: Final = (
    ("success", BLUE),
    ("isolated", SKY),
    ("pending", ORANGE),
    ("rebooting", PURPLE),
    ("failed", VERMILION),
    ("other", GREY),
)
"""MIG Manager's states, and ``isolated`` by mig-fleet; of two at the same time the later one is shown."""
_ISOLATED: Final = 'reason="isolated"'


def by_slice(expr: str) -> str:
    """One series per slice, which continues when another pod gets the slice."""
    return f"max{by(SLICE)} ({expr})"


def activity_rows(scope: Scope) -> str:
    """Activity by slice, or by node where a browser would have to load more than :data:`MOST_SLICES`."""
    nodes = f"avg by (node) ({scope.labeled(GPU_ACTIVITY)})"
    for label in ("gpu", "slice"):
        nodes = f'label_replace({nodes}, "{label}", "all", "", "")'
    # These rows have the label of the pool, so those of other pools are not read.
    too_many = f"count({scope.labeled(SLICE_SHARE)}) > {MOST_SLICES}"
    return f"{by_slice(scope.rows(ACTIVITY))} unless on () ({too_many}) or on () {nodes}"


def or_zero(expr: str) -> str:
    """For one number: zero if there is nothing to count."""
    return f"({expr}) or vector(0)"


def pending(scope: Scope) -> str:
    """Slices that no node has been found for. They have no node and no pool: those of a pool have its profiles."""
    return f"({PENDING} and on (resource) {scope.labeled(DECLARED)})" if scope.matchers else PENDING


def pending_pods(scope: Scope) -> str:
    return or_zero(f"count(count by (namespace, pod) ({pending(scope)}))")


def in_use(scope: Scope) -> str:
    """Requested slices as a share of the offered ones."""
    return f"sum({scope.rows(REQUESTED)}) / (sum({scope.rows(ALLOCATABLE)}) > 0)"


def activity(scope: Scope) -> str:
    """Activity of the GPUs with MIG. Each has the same weight; its slices have theirs in the recorded series."""
    return f"avg({scope.labeled(GPU_ACTIVITY)})"


def activity_by_gpu(fleet: MonitoredFleet, scope: Scope) -> list[Query]:
    """Activity of each GPU; those without MIG are there if a config has one."""
    found = [Query(scope.labeled(GPU_ACTIVITY), GPU_LEGEND)]
    if any(None in config for pool in fleet.pools for config in pool.configs.values()):
        found.append(Query(f"max by (node, gpu) ({scope.rows(WHOLE_GPU_ACTIVITY)})", GPU_LEGEND))
    return found


def changing_nodes(scope: Scope) -> str:
    return or_zero(f"count(count by (node) ({scope.rows(CHANGING)}))")


def slice_state(scope: Scope) -> str:
    """An index of :data:`SLICE_STATES` for each slice."""
    free = scope.rows(ACTIVITY, 'pod=""')
    held = scope.rows(ACTIVITY, 'pod!=""')
    return by_slice(f"{free} * 0 or ({held} >= bool {IDLE_BELOW}) + 1")


def node_state(scope: Scope) -> str:
    """An index of :data:`NODE_STATES` for each node."""
    indexes = {state: index for index, (state, _) in enumerate(NODE_STATES)}
    isolated, other = indexes.pop("isolated"), indexes.pop("other")
    parts = [f"{scope.rows(STATE, f'state={text(state)}')} * {index}" for state, index in indexes.items()]
    parts.append(f"{scope.rows(STATE, f'state!~{text(one_of(indexes))}')} * {other}")
    parts.append(f"{scope.rows(CHANGING, _ISOLATED)} * {isolated}")
    return f"max by (node) ({' or '.join(parts)})"
