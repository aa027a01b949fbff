"""The dashboard of the whole fleet."""

from mig_fleet.monitoring.dashboards import (
    attention,
    colors,
    expressions,
    money,
    navigation,
    panels,
    parts,
    supply,
    tables,
)
from mig_fleet.monitoring.dashboards.board import Board, Row, line, row
from mig_fleet.monitoring.dashboards.queries import Query
from mig_fleet.monitoring.dashboards.scope import FLEET
from mig_fleet.monitoring.dashboards.sdk import models
from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.monitoring.promql import literal
from mig_fleet.monitoring.series import ALLOCATABLE, GPU_ACTIVITY, NODE, POOL_COST, REQUESTED, STATE


def fleet_board(fleet: MonitoredFleet) -> Board:
    return Board(
        uid=navigation.FLEET,
        title="MIG fleet",
        meaning="All pools: use, demand, health and cost of the slices.",
        links=(navigation.to_documentation(),),
        rows=(_now(fleet), _pools(fleet), _attention(), *money.money(fleet, FLEET)),
    )


def _now(fleet: MonitoredFleet) -> Row:
    return row(
        "Now",
        line(
            4,
            panels.number("Nodes", "Nodes of all pools.", "none", Query(f"count({NODE})")),
            panels.number(
                "Slices in use",
                "Requested slices as a share of the offered ones.",
                "percentunit",
                Query(expressions.in_use(FLEET)),
            ),
            panels.number(
                "Activity",
                "Average activity of the GPUs with MIG. A slice counts as much as its share of the compute slices.",
                "percentunit",
                Query(expressions.activity(FLEET)),
            ),
            attention.pending_count(FLEET),
            attention.changing_count(FLEET),
            attention.exporters(fleet),
            attention.alerts(),
            panels.number(
                "Failed nodes",
                "Nodes whose reconfiguration failed, by MIG Manager's label.",
                "none",
                Query(expressions.or_zero(f'count({STATE}{{state="failed"}})')),
                steps=((1, colors.VERMILION),),
            ),
        ),
    )


def _pools(fleet: MonitoredFleet) -> Row:
    return row(
        "Pools",
        line(
            9,
            _table(fleet),
            panels.lines(
                "Activity by pool",
                "Average activity of a pool's GPUs, weighted by compute slices: 100 % is a pool whose slices are busy "
                "all the time and fill its GPUs.",
                "percentunit",
                Query(f"avg by (pool) ({GPU_ACTIVITY})", "{{pool}}"),
                colors=colors.in_order(f"^{literal(pool.name)}$" for pool in fleet.pools),
                links=[parts.link("Open this pool", navigation.pool_url("${__field.labels.pool}"))],
            ),
            widths=(13, 11),
        ),
        line(
            9,
            supply.compared(fleet, FLEET),
            panels.stacked(
                "Nodes by state",
                "Nodes by the state that MIG Manager reports.",
                "none",
                Query(f"count by (state) ({STATE})", "{{state}}"),
                colors={f"^{name}$": color for name, color in expressions.NODE_STATES},
            ),
        ),
    )


def _table(fleet: MonitoredFleet) -> models.Panel:
    def per_pool(series: str) -> str:
        return f"sum by (pool) ({series} * on (node) group_left (pool) max by (node, pool) ({NODE}))"

    priced = [Query(f"sum by (pool) ({POOL_COST})", "USD per hour", "currencyUSD")] if fleet.has_prices else []
    return tables.rows(
        "Pools",
        "Nodes, slices and activity of each pool.",
        "none",
        ("pool",),
        Query(f"count by (pool) ({NODE})", "nodes"),
        Query(per_pool(ALLOCATABLE), "offered"),
        Query(per_pool(REQUESTED), "requested"),
        Query(f"avg by (pool) ({GPU_ACTIVITY})", "activity", "percentunit"),
        *priced,
        links={"pool": navigation.pool_url("${__value.raw}")},
    )


def _attention() -> Row:
    return row(
        "Needs attention",
        line(8, attention.pending_pods(FLEET), attention.changing_nodes(FLEET), attention.last_xid(FLEET)),
    )
