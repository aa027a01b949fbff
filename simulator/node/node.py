"""A node of the fleet: its driver, its labels, what its kubelet offers, and who wants to hear of changes."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simulator import faults
from simulator.api import Json
from simulator.driver import Driver, DriverFile
from simulator.driver.gpu import new_gpu
from simulator.errors import ApiError
from simulator.faults import Fault
from simulator.fleet_file import NodeSpec, Timing
from simulator.node import status

if TYPE_CHECKING:
    from simulator.cluster import Cluster

Listener = Callable[[Json, Json], None]

RETRY_S: Final = 1.0
LATE_PROJECTION_S: Final = 5.0
GPU_IS_LOST: Final = {"nvmlDeviceGetHandleByIndex_v2": 15}


class SimulatedNode:
    """The shared ground of the kubelet and the operands on one node."""

    def __init__(self, spec: NodeSpec, cluster: "Cluster") -> None:
        self.spec, self.cluster = spec, cluster
        self.name = spec.name
        self.directory = cluster.directory / "nodes" / spec.name
        self.driver_file = DriverFile(self.directory / "driver")
        self.object: Json = {"metadata": {"name": spec.name}, "status": {}}
        self._listeners: list[Listener] = []
        self._offered: dict[str, int] = {}
        self._restless = asyncio.Event()

    @property
    def timing(self) -> Timing:
        return self.cluster.fleet_file.timing

    @property
    def projection_s(self) -> float:
        """From a ConfigMap's change to the changed file in this node's pods."""
        return LATE_PROJECTION_S if Fault.CONFIG_MAP_LATE in self.faults else self.timing.config_map_propagation

    @property
    def labels(self) -> Mapping[str, str]:
        return self.object["metadata"].get("labels") or {}

    @property
    def faults(self) -> frozenset[Fault]:
        return faults.read(self.object["metadata"].get("annotations"))

    def install_driver(self) -> None:
        """Write the driver's state as it is on a new machine, unless there is one already."""
        if not self.driver_file.path.exists():
            spec, file = self.spec, self.cluster.fleet_file
            gpus = [new_gpu(spec.name, index, spec.gpu, spec.product) for index in range(spec.gpus)]
            self.driver_file.write(Driver(file.driver, file.cuda_version, gpus))
        with self.driver_file.change() as driver:
            # Clients do not survive the end of their processes.
            for gpu in driver.gpus:
                gpu.clients.clear()

    def node_changed(self, before: Json | None, after: Json) -> None:
        """The API server has news of this node."""
        former, self.object = self.object, after
        if faults.read(former["metadata"].get("annotations")) != self.faults:
            self._play()
        if before is not None:
            for listener in tuple(self._listeners):
                listener(before, after)

    @contextlib.contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Calls ``listener(before, after)`` for each change of the Node object."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    async def patch_labels(self, labels: Mapping[str, str | None]) -> None:
        await self.cluster.api.patch(f"/api/v1/nodes/{self.name}", {"metadata": {"labels": dict(labels)}})

    def offer(self, resources: Mapping[str, int]) -> None:
        """What the device plugin registered; empty when it left. The kubelet tells the API server in its own time."""
        self._offered = dict(resources)
        self._restless.set()

    async def publish(self) -> None:
        """Keep the node's status in step with what is offered; never returns."""
        published: Json = self.object["status"].get("allocatable") or {}
        while True:
            await self._restless.wait()
            self._restless.clear()
            if Fault.STALE_ALLOCATABLE in self.faults:
                continue
            # Not compared with the watched Node, which may be older than our own last write.
            patch = status.node_resources(published, self._offered)
            if patch is None:
                continue
            try:
                await self.cluster.api.patch(f"/api/v1/nodes/{self.name}/status", patch)
                published = patch["status"]["allocatable"]
            except ApiError:
                await asyncio.sleep(RETRY_S)
                self._restless.set()

    def log_file(self, pod: str) -> Path:
        folder = self.directory / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{pod}.log"

    def _play(self) -> None:
        """Faults came or went: those that live in the driver's state are put there, the kubelet looks again."""
        with self.driver_file.change() as driver:
            driver.errors = dict(GPU_IS_LOST) if Fault.PROBE_NVML_ERROR in self.faults else {}
        self._restless.set()
