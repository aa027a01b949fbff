"""Cases of the alerts about pods that wait for slices."""

from collections.abc import Iterable

from mig_fleet.monitoring.fleet import MonitoredFleet
from tests.monitoring.alert_cases.case import FLEET, GPU, LARGE, SINGLE, SMALL, AlertCase, dense_node
from tests.monitoring.series_samples import Series, a_node, a_pod, allocatable, ksm

SLICED = "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb"


def running(count: int, phase: str = "Running", resource: str = SMALL) -> list[Series]:
    """Pods on the node, one slice each."""
    return [row for number in range(count) for row in a_pod(f"p{number}", resource, node="n1", phase=phase)]


def waiting(resource: str = SMALL, count: int = 2) -> list[Series]:
    return a_pod("w", resource, count, phase="Pending")


def single(taken: int) -> list[Series]:
    """A node of strategy single, and one with whole GPUs that all are free."""
    return [
        *a_node("n1", verified="dense-1", product=SLICED),
        *allocatable("n1", GPU, 7),
        *running(taken, resource=GPU),
        *a_node("n2", pool="", verified="", config="", state=""),
        *allocatable("n2", GPU, 8),
    ]


def pending(
    name: str,
    series: Iterable[Series],
    resource: str = "",
    at: str = "20m",
    fleet: MonitoredFleet = FLEET,
) -> AlertCase:
    fires = [{"namespace": "team-a", "resource": resource}] if resource else []
    return AlertCase("MIGPodsPending", name, at, series, fires, fleet)


def exhausted(
    name: str, series: Iterable[Series], resource: str = "", at: str = "20m", fleet: MonitoredFleet = FLEET
) -> AlertCase:
    return AlertCase("MIGPoolExhausted", name, at, series, [{"resource": resource}] if resource else [], fleet)


FULL = [*dense_node(), *running(7)]
SOME_FREE = [*dense_node(), *running(3)]
ENDED = [*dense_node(), *running(7, phase="Succeeded")]
ISOLATED_FREE = [*dense_node(tainted=True), *running(3)]
CHURN = [
    *dense_node(),
    *running(6),
    *a_pod("seventh", SMALL, " ".join(["1x3 stale"] * 60), node="n1"),
]
"""Of every five minutes, the seventh slice is free for one."""

CASES = (
    pending("slices are free", [*SOME_FREE, *waiting()], SMALL),
    pending("ended pods keep their requests, not their slices", [*ENDED, *waiting()], SMALL),
    pending("strategy single", [*single(3), *waiting(GPU)], GPU, fleet=SINGLE),
    pending("for ten minutes", [*SOME_FREE, *waiting()], at="10m"),
    pending("none is free, which has an alert of its own", [*FULL, *waiting()]),
    pending("one is free for a moment again and again", [*CHURN, *waiting()], at="31m"),
    pending("the free ones are on an isolated node", [*ISOLATED_FREE, *waiting()]),
    pending("all pods are scheduled", SOME_FREE),
    pending("a pod that is scheduled and does not run yet", [*dense_node(), *running(1, phase="Pending")]),
    pending("a pod that failed before it was scheduled", [*SOME_FREE, *a_pod("w", SMALL, phase="Failed")]),
    pending("a pod that waits for something else", [*SOME_FREE, *a_pod("w", "cpu", phase="Pending")]),
    exhausted("every slice is in use", [*FULL, *waiting()], SMALL),
    exhausted("no node offers the profile", [*SOME_FREE, *waiting(LARGE)], LARGE),
    exhausted("the free ones are on an isolated node", [*ISOLATED_FREE, *waiting()], SMALL),
    exhausted(
        "strategy single: whole GPUs of other nodes are no slices", [*single(7), *waiting(GPU)], GPU, fleet=SINGLE
    ),
    exhausted("pods that end free a slice for a moment, which others take", [*CHURN, *waiting()], SMALL, at="31m"),
    exhausted("for five minutes", [*FULL, *waiting()], at="5m"),
    exhausted("no pod waits", FULL),
    exhausted("slices are free", [*SOME_FREE, *waiting()]),
    exhausted("ended pods do not have slices", [*ENDED, *waiting()]),
    exhausted("another profile is in use", [*FULL, *allocatable("n2", LARGE, 2), *waiting(LARGE)]),
    exhausted(
        "kube-state-metrics does not report requests",
        [*dense_node(), ksm("kube_pod_status_phase", 1, namespace="team-a", pod="w", phase="Pending")],
    ),
)
