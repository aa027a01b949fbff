"""One case of an alert: the raw series of a small fleet, and what must fire then."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from mig_fleet.model.strategy import Strategy
from mig_fleet.monitoring.alerts.thresholds import Thresholds
from mig_fleet.monitoring.fleet import MonitoredFleet, MonitoredPool
from tests.monitoring.promtool import Labels
from tests.monitoring.series_samples import (
    H100,
    LEGACY,
    Exporter,
    Pod,
    Series,
    Value,
    a_node,
    a_slice,
    allocatable,
    uuid,
)

SMALL: Final = "nvidia_com_mig_1g_10gb"
LARGE: Final = "nvidia_com_mig_3g_40gb"
GPU: Final = "nvidia_com_gpu"

POOL: Final = MonitoredPool(
    name="inference",
    gpu="H100-80GB",
    gpus_per_node=1,
    configs={
        "dense-1": ({"1g.10gb": 7},),
        "halves-1": ({"3g.40gb": 2},),
        "parts-1": ({"1c.3g.40gb": 3, "1g.10gb": 1},),
        "off-1": (None,),
    },
)
FLEET: Final = MonitoredFleet((POOL,))
SINGLE: Final = MonitoredFleet((POOL,), strategy=Strategy.SINGLE)
DEFAULTS: Final = Thresholds()


@dataclass(frozen=True)
class AlertCase:
    """``fires`` has the labels of each alert that fires at a time, without its severity; empty if none must."""

    alert: str
    name: str
    at: str
    series: Iterable[Series]
    fires: Sequence[Labels] = ()
    fleet: MonitoredFleet = FLEET
    thresholds: Thresholds = DEFAULTS


def dense_node(
    node: str = "n1",
    *,
    pods: Iterable[Pod | None] = (),
    verified: str = "dense-1",
    config: str | None = None,
    state: str = "success",
    tainted: bool = False,
    slices: int = 7,
    offered: Value = 7,
    activity: Value = 0.5,
    used: Value = 2 * 2**30,
    free: Value = 6 * 2**30,
    exporter: Exporter = LEGACY,
) -> list[Series]:
    """A node with one GPU of seven slices, as its config has it; the pods have the first ones."""
    having = [*pods, *[None] * slices][:slices]
    found = a_node(node, verified=verified, config=config, state=state, tainted=tainted)
    found += allocatable(node, SMALL, offered)
    for number, pod in enumerate(having, start=1):
        found += a_slice(
            node, number, pod=pod, activity=activity if pod else 0, used=used, free=free, exporter=exporter
        )
    return found


def of_slice(slice: int = 1, pod: Pod | None = None, node: str = "n1", profile: str = "1g.10gb") -> dict[str, str]:
    """The labels of a slice's series."""
    own = {"node": node, "gpu": "0", "uuid": uuid(node), "model": H100, "profile": profile, "slice": str(slice)}
    return own | ({"namespace": pod.namespace, "pod": pod.name, "container": pod.container} if pod else {})
