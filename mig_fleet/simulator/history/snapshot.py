"""The state of a whole cluster that the exporters report: GPUs, Nodes and Pods."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mig_fleet.simulator import faults
from mig_fleet.simulator.api import Json
from mig_fleet.simulator.driver.gpu import Gpu
from mig_fleet.simulator.driver.state import Driver
from mig_fleet.simulator.node.allocation import device_id
from mig_fleet.simulator.node.pod import Pod
from mig_fleet.simulator.node.pod_resources import PodDevices
from mig_fleet.simulator.telemetry import dcgm_exporter, kube_state_metrics
from mig_fleet.simulator.telemetry.counters import Counter
from mig_fleet.simulator.telemetry.dcgm_exporter import Spelling
from mig_fleet.simulator.telemetry.exposition import Family
from mig_fleet.simulator.telemetry.kube_state_metrics import Allowlists
from mig_fleet.simulator.telemetry.reading import LoadOf, Reading, loads, read
from mig_fleet.simulator.telemetry.scraping import scraped

KUBE_STATE_TARGET: Final = {"job": "kube-state-metrics", "instance": "kube-state-metrics:8080"}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The drivers by node, and the objects of the API server."""

    drivers: Mapping[str, Driver]
    nodes: Sequence[Json]
    pods: Sequence[Json]

    def scrape(self, counters: Sequence[Counter], allowlists: Allowlists, now: float) -> Iterator[Family]:
        """All series as Prometheus stores them at a time in seconds since 1970. A family may come once per target."""
        load_of = loads(map(Pod, self.pods), now)
        for node in self.nodes:
            name = str(node["metadata"]["name"])
            families = dcgm_exporter.render(self._read(node, load_of), counters, Spelling())
            yield from scraped(families, exporter_target(name), honor_labels=False)
        families = kube_state_metrics.render(self.nodes, self.pods, allowlists)
        yield from scraped(families, KUBE_STATE_TARGET, honor_labels=True)

    def _read(self, node: Json, load_of: LoadOf) -> Reading:
        name = str(node["metadata"]["name"])
        driver, xids = self.drivers[name], faults.read_xids(node["metadata"].get("annotations"))
        pods = [pod for gpu in driver.gpus for pod in _pods(gpu)]
        return read(name, driver, pods, load_of, xids)


def exporter_target(node: str) -> dict[str, str]:
    """The labels of a node's exporter, as a ServiceMonitor with our relabeling gives them."""
    return {
        "job": "nvidia-dcgm-exporter",
        "node": node,
        "namespace": "gpu-operator",
        "pod": f"nvidia-dcgm-exporter-{node}",
        "container": "nvidia-dcgm-exporter",
        "instance": f"{node}:9400",
    }


def _pods(gpu: Gpu) -> Iterator[PodDevices]:
    """The pods that have the GPU or one of its slices: they are clients of its driver."""
    for client in gpu.clients:
        namespace, _, name = client.name.partition("/")
        instance = None if client.instance is None else gpu.instance(client.instance)
        yield PodDevices(namespace, name, "main", (("", device_id(gpu, instance)),))
