"""Cases of the alerts about slices that are not those of a node's verified config."""

from collections.abc import Iterable

from mig_fleet.monitoring.fleet import MonitoredFleet
from tests.monitoring.alert_cases.case import FLEET, GPU, LARGE, SINGLE, SMALL, AlertCase, dense_node
from tests.monitoring.series_samples import RENAMED, Series, a_gpu, a_node, a_slice, allocatable

AT = "20m"


def differ(name: str, series: Iterable[Series], *profiles: str, at: str = AT) -> AlertCase:
    fires = [{"node": "n1", "profile": profile} for profile in profiles]
    return AlertCase("MIGSlicesDifferFromConfig", name, at, series, fires)


def not_offered(
    name: str, series: Iterable[Series], *resources: str, at: str = AT, fleet: MonitoredFleet = FLEET
) -> AlertCase:
    fires = [{"node": "n1", "resource": resource} for resource in resources]
    return AlertCase("MIGSlicesNotOffered", name, at, series, fires, fleet)


HALVES = [*a_slice("n1", 1, "3g.40gb"), *a_slice("n1", 2, "3g.40gb")]
SINGLE_PRODUCT = "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb"

DIFFER = (
    differ("a slice is missing", dense_node(slices=6), "1g.10gb"),
    differ("a slice is missing, with the new names", dense_node(slices=6, exporter=RENAMED), "1g.10gb"),
    differ("a profile is missing, another one is there", [*a_node("n1", verified="dense-1"), *HALVES],
           "1g.10gb", "3g.40gb"),
    differ("MIG is off", [*a_node("n1", verified="dense-1"), *a_gpu("n1")], "1g.10gb"),
    differ("slices where MIG must be off", [*a_node("n1", verified="off-1"), *HALVES], "3g.40gb"),
    differ("a wave that waits lost a slice", dense_node(slices=6, config="dense-1"), "1g.10gb"),
    differ("as declared", dense_node()),
    differ("for ten minutes", dense_node(slices=6), at="10m"),
    differ("idle slices without the fields of the profiler",
           [row for row in dense_node() if "GR_ENGINE" not in row["series"]]),
    differ("the stack declares another config by now", [*a_node("n1", verified="halves-1"), *HALVES]),
    differ("a config that the rules do not know", dense_node(verified="other-1", slices=6)),
    differ("a node that was never verified", dense_node(verified="", config="dense-1", slices=6)),
    differ("MIG Manager works", dense_node(slices=0, state="pending") + a_gpu("n1")),
    differ("the node reboots", dense_node(slices=3, state="rebooting")),
    differ("the node is isolated", dense_node(slices=6, tainted=True)),
    differ("the exporter is away", dense_node(slices=0)),
    differ("no labels and annotations are exported", [row for row in dense_node(slices=6) if "kube_node_l" not in
           row["series"] and "kube_node_a" not in row["series"]]),
    differ("DCGM's spelling of the profile", [*a_node("n1", verified="halves-1"), *a_slice("n1", 1, "3g.39gb"),
           *a_slice("n1", 2, "3g.39gb")]),
    differ("parts of an instance count as one", [*a_node("n1", verified="parts-1"), *a_slice("n1", 1, "3g.40gb"),
           *a_slice("n1", 2, "1g.10gb")]),
    differ("MIG is off as declared", [*a_node("n1", verified="off-1"), *a_gpu("n1")]),
)  # fmt: skip
NOT_OFFERED = (
    not_offered("fewer than declared", dense_node(offered=5), SMALL),
    not_offered("the device plugin is away", dense_node(offered=0), SMALL),
    not_offered("nothing at all", a_node("n1", verified="halves-1"), LARGE),
    not_offered("the exporter is away, too", dense_node(slices=0, offered=5), SMALL),
    not_offered("strategy single", [*a_node("n1", verified="dense-1", product=SINGLE_PRODUCT),
                *allocatable("n1", GPU, 6)], GPU, fleet=SINGLE),
    not_offered("strategy single, and nothing at all", a_node("n1", verified="dense-1"), GPU, fleet=SINGLE),
    not_offered("as declared", dense_node()),
    not_offered("strategy single, as declared", [*a_node("n1", verified="dense-1", product=SINGLE_PRODUCT),
                *allocatable("n1", GPU, 7)], fleet=SINGLE),
    not_offered("replicas of time-slicing under another name",
                [*dense_node(offered=0), *allocatable("n1", f"{SMALL}_shared", 28)]),
    not_offered("no replicas, either", [*dense_node(offered=0), *allocatable("n1", f"{SMALL}_shared", 0)], SMALL),
    not_offered("strategy single, with replicas under another name",
                [*a_node("n1", verified="dense-1", product=f"{SINGLE_PRODUCT}-SHARED"),
                *allocatable("n1", GPU, 0), *allocatable("n1", f"{GPU}_shared", 28)], fleet=SINGLE),
    not_offered("for ten minutes", dense_node(offered=5), at="10m"),
    not_offered("more than declared", dense_node(offered=9)),
    not_offered("the stack declares another config by now", [*a_node("n1", verified="halves-1"),
                *allocatable("n1", LARGE, 2)]),
    not_offered("a config that the rules do not know", dense_node(verified="other-1", offered=5)),
    not_offered("MIG Manager works", dense_node(offered=0, state="pending")),
    not_offered("the node is isolated", dense_node(offered=0, tainted=True)),
    not_offered("a config without slices", a_node("n1", verified="off-1")),
)  # fmt: skip

CASES = (*DIFFER, *NOT_OFFERED)
