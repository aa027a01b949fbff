"""Synthetic series of dcgm-exporter and kube-state-metrics, in the notation of promtool's unit tests.

A value is a number, which stays the same for :data:`STEPS` samples, or text in promtool's notation: ``1x5 _x3 0x10``.
Numbers are in the unit of the recorded series: bytes, hertz, ratios from 0 to 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mig_fleet.monitoring.exporter.fields import FB_FREE, FB_USED, GR_ENGINE, POWER, Field, Generation, Spelling

STEPS: Final = 480
"""Samples of a series with a constant value; at one per minute, 8 hours."""
H100: Final = "NVIDIA H100 80GB HBM3"
GIB: Final = 2**30

Value = float | str
Series = dict[str, str]


def series(name: str, value: Value, **labels: str) -> Series:
    """One input series. A label that is a keyword of Python is written with a final underscore; empty labels do not
    exist.
    """
    pairs = ",".join(f'{key.rstrip("_")}="{text}"' for key, text in labels.items() if text)
    return {"series": f"{name}{{{pairs}}}", "values": value if isinstance(value, str) else f"{value}+0x{STEPS}"}


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod that has a slice."""

    name: str
    namespace: str = "team-a"
    container: str = "main"


@dataclass(frozen=True, slots=True)
class Exporter:
    """How one exporter spells its series, and the target labels that Prometheus adds."""

    generation: Generation = Generation.LEGACY
    host: str = "Hostname"
    """The exporter's label with the name of the node: ``Hostname`` or ``hostname``."""
    relabeled: bool = False
    """Whether a relabeling adds ``node``."""
    job: str = "nvidia-dcgm-exporter"
    own_pod: str = "nvidia-dcgm-exporter-x1"

    def spelling(self, field: Field) -> Spelling:
        return field.renamed if self.generation == Generation.RENAMED else field.legacy

    def row(
        self,
        field: Field,
        value: Value,
        node: str,
        /,
        *,
        gpu: int = 0,
        slice: int | None = None,
        profile: str = "",
        pod: Pod | None = None,
        model: str = H100,
        **more: str,
    ) -> Series:
        """A value of a slice, or of a whole GPU if ``slice`` is None."""
        spelling = self.spelling(field)
        labels = {
            "job": self.job,
            "instance": f"{self.own_pod}:9400",
            "namespace": "gpu-operator",
            "pod": self.own_pod,
            "container": "nvidia-dcgm-exporter",
            self.host: node,
            "node": node if self.relabeled else "",
            "gpu": str(gpu),
            "UUID": uuid(node, gpu),
            "device": f"nvidia{gpu}",
            "modelName": model,
            "GPU_I_PROFILE": profile,
            "GPU_I_ID": "" if slice is None else str(slice),
            "exported_namespace": pod.namespace if pod else "",
            "exported_pod": pod.name if pod else "",
            "exported_container": pod.container if pod else "",
        }
        exported = value if isinstance(value, str) else value / spelling.unit.factor
        return series(spelling.name, exported, **labels | more)


LEGACY: Final = Exporter()
RENAMED: Final = Exporter(Generation.RENAMED, "hostname")


def uuid(node: str, gpu: int = 0) -> str:
    return f"GPU-{node}-{gpu}"


def a_slice(
    node: str,
    slice: int,
    profile: str = "1g.10gb",
    *,
    gpu: int = 0,
    pod: Pod | None = None,
    activity: Value | None = 0.5,
    used: Value | None = 2 * GIB,
    free: Value | None = 6 * GIB,
    power: Value | None = 300,
    model: str = H100,
    exporter: Exporter = LEGACY,
) -> list[Series]:
    """What the exporter writes about a slice; None leaves a field out. Each slice has the power of the whole board."""
    values: Mapping[Field, Value | None] = {GR_ENGINE: activity, FB_USED: used, FB_FREE: free, POWER: power}
    return [
        exporter.row(field, value, node, gpu=gpu, slice=slice, profile=profile, pod=pod, model=model)
        for field, value in values.items()
        if value is not None
    ]


def a_gpu(
    node: str,
    *,
    gpu: int = 0,
    pod: Pod | None = None,
    activity: Value | None = 0.5,
    power: Value | None = 300,
    model: str = H100,
    exporter: Exporter = LEGACY,
) -> list[Series]:
    """What the exporter writes about a GPU without MIG."""
    values: Mapping[Field, Value | None] = {GR_ENGINE: activity, POWER: power}
    return [
        exporter.row(field, value, node, gpu=gpu, pod=pod, model=model)
        for field, value in values.items()
        if value is not None
    ]


def ksm(name: str, value: Value, replica: str = "ksm-0", **labels: str) -> Series:
    """A series of kube-state-metrics, scraped with ``honorLabels: true``."""
    return series(name, value, job="kube-state-metrics", instance=f"{replica}:8080", **labels)


def a_node(
    node: str,
    pool: str = "inference",
    verified: str = "inference-1",
    *,
    wave: str = "canary",
    config: str | None = None,
    state: str = "success",
    product: str = "NVIDIA-H100-80GB-HBM3",
    tainted: bool = False,
    cordoned: bool = False,
    value: Value = 1,
    replica: str = "ksm-0",
) -> list[Series]:
    """Labels, annotations and taint of a node. ``config`` is its label, ``verified`` its annotation, by default the
    same. An empty ``verified``, ``config`` or ``state`` is not exported.
    """
    annotations = {
        "annotation_mig_fleet_dev_verified_config": verified,
        "annotation_mig_fleet_dev_wave": f"{pool}-{wave}" if pool else "",
        "annotation_mig_fleet_dev_cordoned": "true" if cordoned else "",
    }
    labels = {
        "label_nvidia_com_mig_config": verified if config is None else config,
        "label_nvidia_com_mig_config_state": state,
        "label_nvidia_com_gpu_product": product,
    }
    found = [
        ksm("kube_node_annotations", value, replica, node=node, **annotations),
        ksm("kube_node_labels", value, replica, node=node, **labels),
    ]
    if tainted:
        taint = {"key": "mig-fleet.dev/reconfiguring", "effect": "NoSchedule"}
        found.append(ksm("kube_node_spec_taint", value, replica, node=node, **taint))
    return found


def allocatable(node: str, resource: str, count: Value, replica: str = "ksm-0") -> list[Series]:
    """``resource`` as kube-state-metrics spells it: ``nvidia_com_mig_1g_10gb``."""
    return [ksm("kube_node_status_allocatable", count, replica, node=node, resource=resource, unit="integer")]


def a_pod(
    pod: str,
    resource: str = "nvidia_com_mig_1g_10gb",
    count: Value = 1,
    *,
    node: str = "",
    namespace: str = "team-a",
    phase: str = "Running",
    replica: str = "ksm-0",
) -> list[Series]:
    """A pod's request and phase; without a ``node`` it is not scheduled."""
    own = {"namespace": namespace, "pod": pod, "uid": f"uid-{namespace}-{pod}"}
    return [
        ksm("kube_pod_container_resource_requests", count, replica, **own, container="main", node=node,
            resource=resource, unit="integer"),
        *(
            ksm("kube_pod_status_phase", float(phase == each), replica, **own, phase=each)
            for each in ("Pending", "Running", "Succeeded", "Failed", "Unknown")
        ),
    ]  # fmt: skip
