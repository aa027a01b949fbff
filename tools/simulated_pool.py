"""A pool of two nodes for some hours, in the simulator: pods come and go, and one node gets another layout."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from mig_fleet.model import labels
from mig_fleet.simulator.driver.state import Driver
from mig_fleet.simulator.history import Period, Snapshot, SyntheticNode, SyntheticPod, synthetic_snapshot

POOL: Final = "inference"
START: Final = 1_790_002_800
"""Seconds since 1970, a full hour."""
SHOWN_MIN: Final = 6 * 60
WARM_UP_MIN: Final = 10
"""The pool runs that long before the minute 0."""
STEP_S: Final = 30

GPU: Final = "H100-80GB"
DENSE: Final = {"1g.10gb": 7}
MIXED: Final = {"1g.10gb": 4, "3g.40gb": 1}
STACK: Final = {
    "cluster": {"context": "simulated"},
    "layouts": {"dense": {"gpu": GPU, "all": DENSE}, "mixed": {"gpu": GPU, "all": MIXED}},
    "pools": {POOL: {"gpu": GPU, "gpusPerNode": 2, "nodes": ["gpu-node-1", "gpu-node-2"], "layout": "dense"}},
    "prices": {GPU: 2.5},
}
DRAINED, STARTED, APPLIED, VERIFIED = 110, 112, 122, 126
"""Minutes at which the second node changes its layout: it is isolated, loses its slices, has its new ones, is
verified.
"""


@dataclass(frozen=True, slots=True)
class Stay:
    """Pods with a slice each, and when they have it, in minutes of the picture."""

    node: int
    name: str
    count: int
    namespace: str
    start: int
    end: int = SHOWN_MIN
    profile: str = "1g.10gb"
    activity: float | None = None

    @property
    def pods(self) -> list[SyntheticPod]:
        names = (f"{self.name}-{number}" for number in range(self.count))
        return [SyntheticPod(name, self.profile, namespace=self.namespace, activity=self.activity) for name in names]


STAYS: Final = (
    Stay(1, "chat", 4, "chat", -WARM_UP_MIN),
    Stay(1, "search", 3, "search", 25, activity=0.9),
    Stay(1, "notebook", 2, "research", 40, 250, activity=0),
    Stay(1, "batch", 3, "batch", 150, 215, activity=1),
    Stay(1, "rerank", 2, "search", 230),
    Stay(2, "embed", 6, "search", -WARM_UP_MIN, DRAINED),
    Stay(2, "evaluate", 4, "research", 15, DRAINED - 10, activity=0.3),
    Stay(2, "embed", 5, "search", VERIFIED + 2),
    Stay(2, "train", 1, "research", VERIFIED + 10, profile="3g.40gb", activity=0.95),
    Stay(2, "finetune", 1, "research", 270, profile="3g.40gb", activity=0.6),
)


def at(minute: int) -> int:
    """Seconds since 1970."""
    return START + minute * 60


def periods(configs: Mapping[str, str]) -> Iterator[Period]:
    """One period between two changes of pods or of the layout."""
    changes = {-WARM_UP_MIN, DRAINED, STARTED, APPLIED, VERIFIED, SHOWN_MIN}
    times = sorted(changes | {minute for stay in STAYS for minute in (stay.start, stay.end)})
    for start, end in pairwise(times):
        yield Period(_cluster(start, configs), at(start), at(end) + (1 if end == SHOWN_MIN else 0))


def _cluster(minute: int, configs: Mapping[str, str]) -> Snapshot:
    layouts = {1: "dense", 2: "dense" if minute < APPLIED else "mixed"}
    found = synthetic_snapshot(
        [
            SyntheticNode(
                name=f"gpu-node-{number}",
                gpu=GPU,
                layout=(DENSE if layout == "dense" else MIXED,) * 2,
                pool=POOL,
                config=configs[layout],
                pods=[
                    pod
                    for stay in STAYS
                    if stay.node == number and stay.start <= minute < stay.end
                    for pod in stay.pods
                ],
            )
            for number, layout in layouts.items()
        ]
    )
    return _changing(found, minute, configs) if DRAINED <= minute < VERIFIED else found


def _changing(found: Snapshot, minute: int, configs: Mapping[str, str]) -> Snapshot:
    """The second node while its layout changes: isolated, and then without exporter and slices until MIG Manager is
    done.
    """
    node = next(each for each in found.nodes if each["metadata"]["name"] == "gpu-node-2")
    node["spec"]["taints"] = [{"key": labels.TAINT, "value": "", "effect": "NoSchedule"}]
    node["metadata"]["annotations"][labels.VERIFIED_CONFIG] = configs["dense"]
    if not STARTED <= minute < APPLIED:
        return found
    node["metadata"]["labels"] |= {labels.CONFIG: configs["mixed"], labels.STATE: "pending"}
    node["status"]["allocatable"] = dict.fromkeys(node["status"]["allocatable"], "0")
    driver = found.drivers["gpu-node-2"]
    gone = Driver(driver.version, driver.cuda, [])
    return Snapshot({**found.drivers, "gpu-node-2": gone}, found.nodes, found.pods)
