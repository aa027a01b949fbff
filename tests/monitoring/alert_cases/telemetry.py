"""Cases of the alerts about what Prometheus does not see."""

from collections.abc import Iterable

from mig_fleet.monitoring.fleet import MonitoredFleet
from tests.monitoring.alert_cases.case import FLEET, GPU, SINGLE, SMALL, AlertCase, dense_node
from tests.monitoring.series_samples import Pod, Series, a_gpu, a_node, a_pod, a_slice, allocatable, ksm

AT = "20m"
SLICED = "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb"


def missing(
    name: str, series: Iterable[Series], fires: bool = False, at: str = AT, fleet: MonitoredFleet = FLEET
) -> AlertCase:
    return AlertCase("MIGTelemetryMissing", name, at, series, [{"node": "n1"}] if fires else [], fleet)


def without(series: Iterable[Series], *names: str) -> list[Series]:
    """The series without those of some metrics."""
    return [row for row in series if not row["series"].startswith(names)]


def restarting(up: int, down: int) -> list[Series]:
    """An exporter that is there for some minutes, away for some, and so on."""

    def values(value: int) -> str:
        return " ".join([f"{value}x{up - 1} stale _x{down - 2}"] * 20)

    return a_slice("n1", 1, activity=values(0), used=values(1), free=values(1), power=values(300))


AWAY = dense_node(slices=0)
TELEMETRY = (
    missing("the exporter never ran", AWAY, fires=True),
    missing("the exporter ended", [*AWAY, *a_slice("n1", 1, activity="0.5x20 stale", used="1x20 stale",
            free="1x20 stale", power="300x20 stale")], fires=True, at="45m"),
    missing("the exporter crashes again and again", [*AWAY, *restarting(up=2, down=6)], fires=True, at="55m"),
    missing("the exporter restarts now and then", [*AWAY, *restarting(up=12, down=4)], at="59m"),
    missing("the kubelet offers nothing, either", a_node("n1", verified="dense-1"), fires=True),
    missing("no annotations are exported", without(AWAY, "kube_node_annotations", "kube_node_labels"), fires=True),
    missing("another node has telemetry", [*AWAY, *dense_node("n2")], fires=True),
    missing("strategy single", [*a_node("n1", pool="", verified="", product=SLICED), *allocatable("n1", GPU, 7)],
            fires=True, fleet=SINGLE),
    missing("the slice of a pod has memory, and no activity",
            [row for row in dense_node(pods=[Pod("train-0")]) if "GR_ENGINE" not in row["series"]], fires=True),
    missing("a pod requests a slice, and no slice has a pod", [*dense_node(), *a_pod("p", node="n1")], fires=True),
    missing("a pod that ended requests a slice", [*dense_node(), *a_pod("p", node="n1", phase="Succeeded")]),
    missing("a pod requests a slice, and one has it", [*dense_node(pods=[Pod("p")]), *a_pod("p", node="n1")]),
    missing("slices without a pod have no activity",
            [row for row in dense_node() if "GR_ENGINE" not in row["series"]]),
    missing("the slice of a pod has no activity while the node is isolated",
            [row for row in dense_node(pods=[Pod("train-0")], tainted=True) if "GR_ENGINE" not in row["series"]]),
    missing("every slice has rows", dense_node()),
    missing("for ten minutes", AWAY, at="10m"),
    missing("the GPUs have rows, no slice has", [*AWAY, *a_gpu("n1")]),
    missing("the node is reconfigured", dense_node(slices=0, state="pending")),
    missing("the node is isolated", dense_node(slices=0, tainted=True)),
    missing("a node without slices", a_node("n1", verified="off-1")),
    missing("strategy single: a node with whole GPUs",
            [*a_node("n1", pool="", verified=""), *allocatable("n1", GPU, 8)], fleet=SINGLE),
)  # fmt: skip


def not_exported(
    name: str, series: Iterable[Series], *names: str, at: str = AT, fleet: MonitoredFleet = FLEET
) -> AlertCase:
    fires = [{"missing": name} for name in names]
    return AlertCase("MIGNodeLabelsNotExported", name, at, series, fires, fleet)


LABELS_OF_NODES = ("nvidia.com/mig.config", "nvidia.com/mig.config.state")
ANNOTATIONS = ("mig-fleet.dev/wave", "mig-fleet.dev/verified-config")
ALL = (*LABELS_OF_NODES, *ANNOTATIONS)
FIRST_UPDATE = dense_node(verified="", config="dense-1", state="pending")

LABELS = (
    not_exported("no label and no annotation", without(dense_node(), "kube_node_l", "kube_node_a"), *ALL),
    not_exported("kube-state-metrics is away", a_slice("n1", 1), *ALL),
    not_exported("only labels", without(dense_node(), "kube_node_annotations"), *ANNOTATIONS),
    not_exported("only annotations", without(dense_node(), "kube_node_labels"), *LABELS_OF_NODES),
    not_exported("the allowlist lacks one annotation", dense_node(verified="", config="dense-1"), ANNOTATIONS[1]),
    not_exported("the allowlist lacks one label", dense_node(config=""), LABELS_OF_NODES[0]),
    not_exported("no exporter, either", allocatable("n1", SMALL, 7), *ALL),
    not_exported("strategy single with the product", dense_node(), fleet=SINGLE),
    not_exported("strategy single without the product",
                 [*a_node("n1", product=""), *a_slice("n1", 1)], "nvidia.com/gpu.product", fleet=SINGLE),
    not_exported("strategy single without the product and without an exporter", allocatable("n1", GPU, 7),
                 "nvidia.com/gpu.product", fleet=SINGLE),
    not_exported("neither kube-state-metrics nor an exporter is read", [ksm("up", 0)], *ALL),
    not_exported("strategy single: a cluster without GPUs",
                 [ksm("kube_node_status_allocatable", 64, node="n1", resource="cpu")], fleet=SINGLE),
    not_exported("all are exported", dense_node()),
    not_exported("for ten minutes", a_slice("n1", 1), at="10m"),
    not_exported("a cluster without MIG", [ksm("kube_node_status_allocatable", 64, node="n1", resource="cpu")]),
    not_exported("the first update, which verified no node yet", FIRST_UPDATE),
)  # fmt: skip

CASES = (*TELEMETRY, *LABELS)
