"""The dashboard of one pool."""

from mig_fleet.monitoring.alerts.thresholds import FULL_ABOVE
from mig_fleet.monitoring.dashboards import (
    attention,
    expressions,
    money,
    navigation,
    panels,
    parts,
    rightsizing,
    supply,
)
from mig_fleet.monitoring.dashboards.board import Board, Row, line, row
from mig_fleet.monitoring.dashboards.colors import BLUE, ORANGE, VERMILION
from mig_fleet.monitoring.dashboards.expressions import SLICE_LEGEND, by_slice
from mig_fleet.monitoring.dashboards.queries import Query
from mig_fleet.monitoring.dashboards.scope import POOL
from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.monitoring.series import ACTIVITY, MEMORY_RATIO, NODE, NODE_GPUS, POWER

_TO_NODE = navigation.node_url("$pool", "${__field.labels.node}")


def pool_board(fleet: MonitoredFleet) -> Board:
    return Board(
        uid=navigation.POOL,
        title="MIG pool",
        meaning="One pool: supply and demand by profile, activity of each slice, changes of nodes, cost.",
        variables=(navigation.pool(),),
        links=(navigation.to_fleet(), navigation.to_documentation()),
        rows=(
            _now(),
            _supply(fleet),
            _activity(fleet),
            _changes(),
            _sizes(fleet),
            *money.money(fleet, POOL),
        ),
    )


def _now() -> Row:
    nodes = f"count({POOL.labeled(NODE)})"
    return row(
        "Now",
        line(
            4,
            panels.number("Nodes", "Nodes of the pool.", "none", Query(nodes)),
            panels.number(
                "GPUs that report",
                "GPUs that the exporter reports, as a share of all GPUs of the pool's nodes.",
                "percentunit",
                Query(f"count({POOL.rows(POWER)}) / ({nodes} * max({POOL.labeled(NODE_GPUS)}))"),
                steps=((1, BLUE),),
                below=ORANGE,
            ),
            panels.number(
                "Slices in use",
                "Requested slices as a share of the offered ones.",
                "percentunit",
                Query(expressions.in_use(POOL)),
            ),
            panels.number(
                "Activity",
                "Average activity of the GPUs with MIG. A slice counts as much as its share of the compute slices.",
                "percentunit",
                Query(expressions.activity(POOL)),
            ),
            attention.pending_count(POOL),
            attention.changing_count(POOL),
        ),
    )


def _supply(fleet: MonitoredFleet) -> Row:
    return row(
        "Supply and demand",
        line(
            9,
            supply.over_time(fleet, POOL),
            supply.compared(fleet, POOL),
            attention.pending_pods(POOL),
            widths=(10, 7, 7),
        ),
        line(9, supply.declared_and_real(fleet, POOL), supply.free(fleet, POOL), widths=(15, 9)),
    )


def _activity(fleet: MonitoredFleet) -> Row:
    return row(
        "Activity",
        line(
            11,
            panels.activity_map(
                "Activity by slice",
                f"A row for each slice, or for each node of a pool with more than {expressions.MOST_SLICES} slices, "
                "colored by its activity as the scale below shows. Empty: the exporter reports nothing.",
                Query(expressions.activity_rows(POOL), SLICE_LEGEND),
            ),
            panels.distribution(
                "Slices by activity",
                "How many slices are how active now. Two peaks, at 0 % and at 100 %, are a pool whose slices fit.",
                "percentunit",
                Query(by_slice(POOL.rows(ACTIVITY)), SLICE_LEGEND),
            ),
            widths=(16, 8),
        ),
        line(
            9,
            panels.lines(
                "Activity by GPU",
                "Activity of each GPU: its slices, weighted by their compute slices, as a share of the whole GPU.",
                "percentunit",
                *expressions.activity_by_gpu(fleet, POOL),
                colors=expressions.GPU_COLORS,
                links=[parts.link("Open this node", _TO_NODE)],
            ),
            panels.lines(
                "Fullest slice by node",
                "The slice of each node that uses most of its usable memory. Servers that reserve memory in advance "
                "stay near 100 %.",
                "percentunit",
                Query(f"max by (node) ({POOL.rows(MEMORY_RATIO)})", "{{node}}"),
                steps=((FULL_ABOVE, VERMILION),),
                links=[parts.link("Open this node", _TO_NODE)],
            ),
            panels.stacked(
                "Power by node",
                "Power of the boards, each counted once. There is no power by slice.",
                "watt",
                Query(f"sum by (node) ({POOL.rows(POWER)})", "{{node}}"),
            ),
        ),
    )


def _changes() -> Row:
    return row(
        "Reconfiguration",
        line(
            9,
            panels.timeline(
                "Reconfiguration history",
                "State of each node: what MIG Manager reports, and when mig-fleet isolated the node.",
                expressions.NODE_STATES,
                Query(expressions.node_state(POOL), "{{node}}"),
            ),
            attention.changing_nodes(POOL),
            attention.last_xid(POOL),
            widths=(10, 7, 7),
        ),
    )


def _sizes(fleet: MonitoredFleet) -> Row:
    return row("Right size", line(9, rightsizing.candidates(fleet, POOL), rightsizing.idle(POOL)))
