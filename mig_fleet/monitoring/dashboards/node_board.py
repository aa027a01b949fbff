"""The dashboard of one node, with a row for each GPU."""

from mig_fleet.monitoring.alerts.thresholds import FULL_ABOVE, IDLE_BELOW
from mig_fleet.monitoring.dashboards import attention, expressions, money, navigation, panels, supply, tables
from mig_fleet.monitoring.dashboards.board import Board, Row, line, row
from mig_fleet.monitoring.dashboards.colors import BLUE, GREY, SKY, VERMILION
from mig_fleet.monitoring.dashboards.expressions import GPU_COLORS, GPU_LEGEND, SLICE_COLORS, SLICE_LEGEND, by_slice
from mig_fleet.monitoring.dashboards.queries import Query
from mig_fleet.monitoring.dashboards.scope import ONE_GPU, ONE_NODE
from mig_fleet.monitoring.dashboards.sdk import models
from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.monitoring.promql import by
from mig_fleet.monitoring.series import (
    ACTIVITY,
    DRAM_ACTIVITY,
    MEMORY_CLOCK,
    MEMORY_RATIO,
    MEMORY_USED,
    NODE,
    POWER,
    SM_ACTIVITY,
    TEMPERATURE,
    TENSOR_ACTIVITY,
)


def node_board(fleet: MonitoredFleet) -> Board:
    return Board(
        uid=navigation.NODE_OF_POOL,
        title="MIG node",
        meaning="One node: what it should have and has, and a row for each GPU with its slices.",
        variables=(navigation.pool(), navigation.node(), navigation.gpus()),
        links=(navigation.to_fleet(), navigation.to_pool(), navigation.to_documentation()),
        rows=(_now(), _slices(fleet), _boards(fleet), *money.money(fleet, ONE_NODE), _gpu()),
    )


def _now() -> Row:
    return row(
        "Now",
        line(
            4,
            panels.number(
                "State",
                "What MIG Manager reports, or that mig-fleet isolated the node.",
                "none",
                Query(expressions.node_state(ONE_NODE)),
                states=expressions.NODE_STATES,
            ),
            panels.text(
                "Config",
                "The config that was verified last.",
                Query(f"max by (config) ({ONE_NODE.labeled(NODE)})", "{{config}}"),
            ),
            panels.number(
                "Slices in use",
                "Requested slices as a share of the offered ones.",
                "percentunit",
                Query(expressions.in_use(ONE_NODE)),
            ),
            panels.number(
                "Activity",
                "Average activity of the GPUs with MIG. A slice counts as much as its share of the compute slices.",
                "percentunit",
                Query(expressions.activity(ONE_NODE)),
            ),
            attention.pending_count(ONE_NODE),
            panels.number(
                "Power", "Power of all boards, each counted once.", "watt", Query(f"sum({ONE_NODE.rows(POWER)})")
            ),
        ),
    )


def _slices(fleet: MonitoredFleet) -> Row:
    return row(
        "Slices",
        line(8, supply.declared_and_real(fleet, ONE_NODE), supply.over_time(fleet, ONE_NODE)),
        line(
            6,
            panels.timeline(
                "Reconfiguration history",
                "State of the node: what MIG Manager reports, and when mig-fleet isolated it.",
                expressions.NODE_STATES,
                Query(expressions.node_state(ONE_NODE), "{{node}}"),
            ),
            attention.last_xid(ONE_NODE),
        ),
    )


def _boards(fleet: MonitoredFleet) -> Row:
    def by_gpu(title: str, meaning: str, unit: str, *queries: Query) -> models.Panel:
        return panels.lines(title, meaning, unit, *queries, colors=GPU_COLORS)

    def board(series: str) -> Query:
        return Query(ONE_NODE.rows(series), GPU_LEGEND)

    return row(
        "GPUs",
        line(
            8,
            by_gpu(
                "Activity by GPU",
                "Activity of each GPU: its slices, weighted by their compute slices, as a share of the whole GPU.",
                "percentunit",
                *expressions.activity_by_gpu(fleet, ONE_NODE),
            ),
            by_gpu("Power by GPU", "Power of each board. There is no power by slice.", "watt", board(POWER)),
            by_gpu("Temperature by GPU", "Temperature of each GPU.", "celsius", board(TEMPERATURE)),
            by_gpu("Memory clock by GPU", "Clock of each GPU's memory.", "hertz", board(MEMORY_CLOCK)),
        ),
    )


def _gpu() -> Row:
    return row(
        "GPU $gpu",
        line(
            4,
            panels.cells(
                "Slices of GPU $gpu",
                "A cell for each slice: its activity now.",
                "percentunit",
                Query(by_slice(ONE_GPU.rows(ACTIVITY)), "{{profile}} #{{slice}}"),
                steps=((IDLE_BELOW, SKY), (0.3, BLUE)),
                below=GREY,
            ),
        ),
        line(
            8,
            panels.timeline(
                "State of slices of GPU $gpu",
                "Whether a pod has the slice, and whether it computes: idle is under 1 % active.",
                expressions.SLICE_STATES,
                Query(expressions.slice_state(ONE_GPU), SLICE_LEGEND),
            ),
            panels.activity_map(
                "Activity by slice of GPU $gpu",
                "A row for each slice, colored by its activity as the scale below shows. Empty: the exporter reports "
                "nothing.",
                Query(by_slice(ONE_GPU.rows(ACTIVITY)), SLICE_LEGEND),
            ),
        ),
        line(8, _pods(), _memory()),
        line(
            7,
            _of_slices("SM activity", "Share of time that a multiprocessor of the slice had work.", SM_ACTIVITY),
            _of_slices("Tensor activity", "Share of time that the tensor cores of the slice worked.", TENSOR_ACTIVITY),
            _of_slices("Memory bandwidth", "Share of time that the memory of the slice moved data.", DRAM_ACTIVITY),
        ),
        repeat="gpu",
    )


def _of_slices(title: str, meaning: str, series: str) -> models.Panel:
    return panels.lines(
        f"{title} of GPU $gpu",
        meaning,
        "percentunit",
        Query(by_slice(ONE_GPU.rows(series)), SLICE_LEGEND),
        colors=SLICE_COLORS,
    )


def _memory() -> models.Panel:
    return panels.lines(
        "Memory used on GPU $gpu",
        "Memory used as a share of the slice's usable memory.",
        "percentunit",
        Query(by_slice(ONE_GPU.rows(MEMORY_RATIO)), SLICE_LEGEND),
        colors=SLICE_COLORS,
        steps=((FULL_ABOVE, VERMILION),),
    )


def _pods() -> models.Panel:
    labels = ("profile", "slice", "namespace", "pod", "container")
    return tables.rows(
        "Pods on GPU $gpu",
        "The pod that has each slice; none if the columns are empty.",
        "percentunit",
        labels,
        Query(f"max{by(labels)} ({ONE_GPU.rows(ACTIVITY)})", "activity"),
        Query(f"max{by(labels)} ({ONE_GPU.rows(MEMORY_USED)})", "memory", "bytes"),
    )
