"""A node of the fleet: its driver, its labels, what its kubelet offers, and who wants to hear of changes."""

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mig_fleet.simulator import clock, faults
from mig_fleet.simulator.api import Json
from mig_fleet.simulator.driver import Driver, DriverFile
from mig_fleet.simulator.driver.gpu import new_gpu
from mig_fleet.simulator.errors import ApiError
from mig_fleet.simulator.faults import Fault
from mig_fleet.simulator.fleet_file import NodeSpec, Timing
from mig_fleet.simulator.node.node_status import NodeStatus

if TYPE_CHECKING:
    from mig_fleet.simulator.cluster import Cluster

Listener = Callable[[Json, Json], None]

RETRY_S: Final = 1.0
LATE_PROJECTION_S: Final = 5.0


class SimulatedNode:
    """The shared ground of the kubelet and the operands on one node."""

    def __init__(self, spec: NodeSpec, cluster: "Cluster", number: int) -> None:
        self.spec, self.cluster, self.number = spec, cluster, number
        self.name = spec.name
        self.directory = cluster.directory / "nodes" / spec.name
        self.driver_file = DriverFile(self.directory / "driver")
        self.clock_file = self.directory / "clock"
        self.object: Json = {"metadata": {"name": spec.name, "resourceVersion": ""}, "status": {}}
        self.runtime_answers = asyncio.Event()
        """The container runtime's health: without it the kubelet neither starts nor ends a pod."""
        self.runtime_answers.set()
        self.boot_id = str(uuid.uuid4())
        self.registered: Mapping[str, int] = {}
        """What a device plugin last registered, whether or not it still runs."""
        self.wedged_manager = ""
        """Uid of the MIG Manager's pod that first got stuck, for :attr:`Fault.MANAGER_WEDGED`."""
        self._listeners: list[Listener] = []
        self._offered: Mapping[str, int] = {}
        self._restless = asyncio.Event()
        self._is_down = False
        self._seen: tuple[tuple[int, int], Driver] | None = None
        self._spent: set[Fault] = set()

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
    def annotations(self) -> Mapping[str, str]:
        return self.object["metadata"].get("annotations") or {}

    @property
    def faults(self) -> frozenset[Fault]:
        """What is being played and has not yet had its one effect."""
        return faults.read(self.annotations) - self._spent

    def spend(self, fault: Fault) -> bool:
        """Whether a fault that happens once is to happen now; it does so again after it was healed."""
        if fault not in self.faults:
            return False
        self._spent.add(fault)
        return True

    @property
    def driver(self) -> Driver:
        """The driver as it is now, to look at; it is read anew when its file is another one."""
        stamp = self.driver_stamp
        if self._seen is None or self._seen[0] != stamp:
            self._seen = stamp, self.driver_file.read()
        return self._seen[1]

    @property
    def driver_stamp(self) -> tuple[int, int]:
        """Different after each change of the driver."""
        found = self.driver_file.path.stat()
        return found.st_ino, found.st_mtime_ns

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
        if _played(former) != _played(after):
            self._play()
        if before is not None:
            for listener in tuple(self._listeners):
                listener(before, after)

    async def until_played(self, fault: Fault) -> None:
        """Returns when the fault is being played."""
        played = asyncio.Event()

        def look(_before: Json, _after: Json) -> None:
            if fault in self.faults:
                played.set()

        with self.listening(look):
            look(self.object, self.object)
            await played.wait()

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
        self.registered = resources or self.registered
        self._offered = resources
        self._restless.set()

    def set_down(self, down: bool) -> None:
        """The machine goes down for a reboot, or is up again, with another boot's id."""
        self._is_down = down
        if not down:
            self.boot_id = str(uuid.uuid4())
        self._look_at_runtime()

    async def publish(self) -> None:
        """Keep the node's status in step with what is so; never returns."""
        # Not compared with the watched Node, which may be older than our own last write.
        published = NodeStatus.of(self.object)
        while True:
            await self._restless.wait()
            self._restless.clear()
            wanted = replace(published, ready=self.runtime_answers.is_set(), boot_id=self.boot_id)
            if Fault.STALE_ALLOCATABLE not in self.faults:
                wanted = wanted.offering(self._offered)
            if wanted == published:
                continue
            try:
                await self.cluster.api.patch(f"/api/v1/nodes/{self.name}/status", wanted.patch(published))
                published = wanted
            except ApiError:
                await asyncio.sleep(RETRY_S)
                self._restless.set()

    def log_file(self, pod: str) -> Path:
        folder = self.directory / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{pod}.log"

    def _play(self) -> None:
        """Faults came or went: those that live in the driver's state are put there, the kubelet looks again."""
        self._spent &= faults.read(self.annotations)
        errors = faults.read_nvml_errors(self.annotations)
        if self.driver.errors != errors:
            with self.driver_file.change() as driver:
                driver.errors = errors
        clock.keep(self.clock_file, self.faults)
        self._look_at_runtime()

    def _look_at_runtime(self) -> None:
        if self._is_down or Fault.NODE_NOT_READY in self.faults:
            self.runtime_answers.clear()
        else:
            self.runtime_answers.set()
        self._restless.set()


def _played(node: Json) -> tuple[str | None, str | None]:
    annotations = node["metadata"].get("annotations") or {}
    return annotations.get(faults.ANNOTATION), annotations.get(faults.NVML_ERRORS)
