"""Cases of the alerts about single slices."""

from dataclasses import replace
from functools import partial

from mig_fleet.monitoring.alerts.thresholds import Thresholds
from mig_fleet.monitoring.exporter.fields import XID
from tests.monitoring.alert_cases.case import DEFAULTS, AlertCase, dense_node, of_slice
from tests.monitoring.series_samples import GIB, LEGACY, RENAMED, Pod, Series, Value, a_gpu, a_node, a_slice

POD = Pod("train-0")
a_busy_node = partial(dense_node, slices=3)
"""Three slices are enough for the alerts about one."""
assert DEFAULTS.slice_idle and DEFAULTS.slice_underutilized and DEFAULTS.slice_memory_pressure, "all are on"
QUICK = replace(DEFAULTS, slice_underutilized=replace(DEFAULTS.slice_underutilized, window=5400, wait=1800))
WITHOUT_TEAM_A = replace(
    DEFAULTS,
    slice_idle=replace(DEFAULTS.slice_idle, except_namespaces=("team-b", "team-a")),
    slice_memory_pressure=replace(DEFAULTS.slice_memory_pressure, except_namespaces=("team-a",)),
)


def idle(
    name: str, series: list[Series], at: str = "70m", fires: bool = False, thresholds: Thresholds = DEFAULTS
) -> AlertCase:
    fired = [of_slice(1, POD)] if fires else []
    return AlertCase("MIGSliceIdle", name, at, series, fired, thresholds=thresholds)


IDLE = (
    idle("a pod that does nothing", a_busy_node(pods=[POD], activity=0), fires=True),
    idle("a pod with the noise of an idle GPU", a_busy_node(pods=[POD], activity=0.004), fires=True),
    idle("an exporter with the new names", a_busy_node(pods=[POD], activity=0, exporter=RENAMED), fires=True),
    idle("a pod that worked until then", a_busy_node(pods=[POD], activity="0.9x60 0x200"), at="125m", fires=True),
    idle("a pod that is new", a_busy_node(pods=[POD], activity="_x60 0x200"), at="110m"),
    idle("a pod that was new an hour ago", a_busy_node(pods=[POD], activity="_x60 0x200"), at="125m", fires=True),
    idle(
        "a gap in the telemetry when the window began",
        a_busy_node(pods=[POD], activity="0x60 _x7 0x200"),
        at="98m",
        fires=True,
    ),
    idle("not yet", a_busy_node(pods=[POD], activity="0.9x60 0x200"), at="110m"),
    idle("a slice without a pod", a_busy_node(activity=0)),
    idle("a pod that works", a_busy_node(pods=[POD])),
    idle("a pod that works for a minute in 20", a_busy_node(pods=[POD], activity=" ".join(["0x18 0.5"] * 20)), at="3h"),
    idle("the node is reconfigured", a_busy_node(pods=[POD], activity=0, state="pending")),
    idle("the node is isolated", a_busy_node(pods=[POD], activity=0, tainted=True)),
    idle("the pod is gone", a_busy_node(pods=[POD], activity="0x70 stale"), at="80m"),
    idle("a namespace that is left out", a_busy_node(pods=[POD], activity=0), thresholds=WITHOUT_TEAM_A),
)


def underutilized(
    name: str,
    activity: Value,
    used: float = 2 * GIB,
    at: str = "2h30m",
    fires: bool = False,
    state: str = "success",
    thresholds: Thresholds = QUICK,
) -> AlertCase:
    node = a_busy_node(pods=[POD], activity=activity, used=used, free=8 * GIB - used, state=state)
    fired = [of_slice(1, POD)] if fires else []
    return AlertCase("MIGSliceUnderutilized", name, at, node, fired, thresholds=thresholds)


UNDERUTILIZED = (
    underutilized("a tenth of the slice", 0.1, fires=True),
    underutilized("with the default thresholds", 0.1, at="7h30m", fires=True, thresholds=DEFAULTS),
    underutilized("a pod that works for a minute in 20", " ".join(["0x18 0.9"] * 25), fires=True),
    underutilized("most of the slice", 0.5),
    underutilized("little work in much memory", 0.1, used=5 * GIB),
    underutilized("an idle slice, which has an alert of its own", 0),
    underutilized("a slice with the noise of an idle GPU", 0.004),
    underutilized("a pod that is new", "_x100 0.1x210"),
    underutilized("a node that is reconfigured", 0.1, state="pending"),
    AlertCase(
        "MIGSliceIdle",
        "a pod that works little is not idle",
        "2h30m",
        a_busy_node(pods=[POD], activity=0.1),
    ),
)


def memory(
    name: str,
    used: float,
    pod: Pod | None = POD,
    fires: bool = False,
    tainted: bool = False,
    thresholds: Thresholds = DEFAULTS,
) -> AlertCase:
    node = a_busy_node(pods=[pod], used=used * GIB, free=(8 - used) * GIB, tainted=tainted)
    return AlertCase(
        "MIGSliceMemoryPressure", name, "10m", node, [of_slice(1, POD)] if fires else [], thresholds=thresholds
    )


MEMORY = (
    memory("almost full", 7.8, fires=True),
    memory("a server that reserves nine tenths", 7.3),
    memory("a full slice without a pod", 7.8, pod=None),
    memory("a full slice of a node that is isolated", 7.8, tainted=True),
    memory("a namespace that is left out", 7.8, thresholds=WITHOUT_TEAM_A),
    AlertCase(
        "MIGSliceMemoryPressure",
        "full for three minutes",
        "10m",
        [
            *a_node("n1", verified="dense-1"),
            *a_slice("n1", 1, pod=POD, used="2048x5 7990x2 2048x90", free="6144x5 202x2 6144x90"),
        ],
    ),
)


def xid(
    name: str, values: Value, at: str, fires: bool = False, state: str = "success", tainted: bool = False
) -> AlertCase:
    rows = [LEGACY.row(XID, values, "n1", slice=3, profile="1g.10gb")]
    node = a_busy_node(pods=[POD], state=state, tainted=tainted)
    return AlertCase("MIGXidError", name, at, [*node, *rows], [of_slice(3)] if fires else [])


XIDS = (
    xid("a code", "0x20 31x100", "25m", fires=True),
    xid("the first code of an exporter that has none before", "_x20 31x100", "25m", fires=True),
    xid("a second code", "0x20 31x40 43x40", "65m", fires=True),
    xid("an isolated node", "0x20 79x100", "25m", fires=True, tainted=True),
    xid("no code", 0, "25m"),
    xid("no code any more", "31x20 0x100", "25m"),
    xid("a code that is no longer new", "0x20 31x100", "40m"),
    xid("the same code after a gap in the telemetry", "31x60 _x60 31x60", "123m"),
    xid("a node that is reconfigured", "0x20 45x100", "25m", state="pending"),
    AlertCase(
        "MIGXidError",
        "a GPU without MIG",
        "25m",
        [*a_gpu("n1"), LEGACY.row(XID, "0x20 79x100", "n1")],
        [{key: value for key, value in of_slice().items() if key not in ("profile", "slice")}],
    ),
)

CASES = (*IDLE, *UNDERUTILIZED, *MEMORY, *XIDS)
