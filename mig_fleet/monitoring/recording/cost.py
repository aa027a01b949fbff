"""The price of the GPUs, and who has it: the parts of :data:`~mig_fleet.monitoring.series.COST` add up to it.

As :func:`mig_fleet.model.cost.account` has it for one GPU: shares that add up to more than 1 are scaled down, and what
they leave is stranded. Every record reads the same rows at the same moment, because all are in one group.

The exporter may report the memory of a slice and no activity, as while DCGM's profiling is paused. The slice is charged
all the same. Whether its pod works is not known, so its price is ``unobserved``, neither ``used`` nor ``idle``; without
a pod it is ``unallocated``.
"""

from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.monitoring.promql import by
from mig_fleet.monitoring.rules import Record
from mig_fleet.monitoring.series import (
    ACTIVITY,
    COST,
    GPU_PRICE,
    MEMORY_USED,
    NODE,
    NODE_GPUS,
    OF_POD,
    POOL_COST,
    PROFILE_SHARE,
    SLICE,
    SLICE_COST,
    SLICE_SHARE,
    WHOLE_GPU_ACTIVITY,
)

OBSERVED = f"({ACTIVITY} or {WHOLE_GPU_ACTIVITY})"
"""A row per slice and pod, and per GPU without MIG."""
CHARGED = (
    f'({ACTIVITY}{{pod!=""}} or {WHOLE_GPU_ACTIVITY}{{pod!=""}} or on (node, uuid, slice) {MEMORY_USED}{{pod!=""}}'
    f" or on (node, uuid, slice) {OBSERVED} or on (node, uuid, slice) {MEMORY_USED})"
)
"""The same, and the slices of which only the memory is reported. If any row of a slice has a pod, those without one are
left out: they are of a second exporter, which does not know about pods."""
PRICED = f"on (pool) group_left () {GPU_PRICE}"
OF_GPU = f"sum by (pool, node, uuid) ({SLICE_SHARE})"


def cost_records(fleet: MonitoredFleet) -> tuple[Record, ...]:
    """The shares, and the money if any pool has a price."""
    share = Record(SLICE_SHARE, _share())
    return (share, *_money()) if fleet.has_prices else (share,)


def _share() -> str:
    in_pool = f"group{by((*SLICE, *OF_POD))} ({CHARGED}) * on (node) group_left (pool) {NODE}"
    pods = f"count by (node, uuid, slice) ({CHARGED})"
    return f"{in_pool} * on (pool, profile) group_left () {PROFILE_SHARE} / on (node, uuid, slice) group_left () {pods}"


def _money() -> tuple[Record, ...]:
    with_pod, without = f'{SLICE_COST}{{pod!=""}}', f'{SLICE_COST}{{pod=""}}'
    scale = f"on (pool, node, uuid) group_left () clamp_min({OF_GPU}, 1)"
    declared = f"sum by (pool, node) ({NODE} * on (pool) group_left () {NODE_GPUS})"
    observed = f"count by (pool, node) ({OF_GPU})"
    unknown = f"sum by (pool, node) ({with_pod} unless ignoring (pool) {OBSERVED})"
    parts = {
        "used": f"sum by (pool, node, namespace) ({with_pod} * ignoring (pool) group_left () {OBSERVED})",
        "idle": f"sum by (pool, node, namespace) ({with_pod} * ignoring (pool) group_left () (1 - {OBSERVED}))",
        "unallocated": f"sum by (pool, node) ({without})",
        "stranded": f"sum by (pool, node) (clamp_min(1 - {OF_GPU}, 0)) * {PRICED}",
        "unobserved": f"clamp_min({declared} - ({observed} or 0 * {declared}), 0) * {PRICED} "
        f"+ ({unknown} or 0 * {declared})",
    }
    return (
        Record(SLICE_COST, f"{SLICE_SHARE} * {PRICED} / {scale}"),
        *(Record(COST, expr, {"part": part}) for part, expr in parts.items()),
        # A node may have more GPUs than its pool declares.
        Record(POOL_COST, f"sum by (pool) (({observed} > {declared} or {declared}) * {PRICED})"),
    )
