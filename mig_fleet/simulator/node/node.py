"""A node of the fleet: its driver, its labels, its allocatable resources, and listeners for changes of its Node."""

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from mig_fleet.simulator import clock, faults
from mig_fleet.simulator.api import Api, Json
from mig_fleet.simulator.driver.gpu import new_gpu
from mig_fleet.simulator.driver.state import Driver, DriverFile
from mig_fleet.simulator.errors import ApiError
from mig_fleet.simulator.faults import Fault
from mig_fleet.simulator.fleet_file import NodeSpec, Timing
from mig_fleet.simulator.node.node_status import NodeStatus
from mig_fleet.simulator.node.pod_resources import PodResources
from mig_fleet.simulator.node.surroundings import Surroundings
from mig_fleet.simulator.tasks import Spawn

Listener = Callable[[Json, Json], None]
"""Called with the Node object before and after a change."""

Scrape = Callable[[float], str | None]
"""What an exporter answers, in Prometheus' text format, at a time in seconds since 1970; None if the scrape fails."""

RETRY_S: Final = 1.0
LATE_PROJECTION_S: Final = 5.0


class SimulatedNode:
    """The state that the kubelet and the operands of one node share. ``number`` is unique in the fleet."""

    def __init__(self, spec: NodeSpec, surroundings: Surroundings, number: int) -> None:
        self.spec, self.surroundings, self.number = spec, surroundings, number
        self.name = spec.name
        self.directory = surroundings.directory / "nodes" / spec.name
        self.driver_file = DriverFile(self.directory / "driver")
        self.clock_file = self.directory / "clock"
        self.object: Json = {"metadata": {"name": spec.name, "resourceVersion": ""}, "status": {}}
        self.runtime_ready = asyncio.Event()
        """Set while the container runtime is healthy; without it the kubelet neither starts nor stops a pod."""
        self.runtime_ready.set()
        self.boot_id = str(uuid.uuid4())
        self.pod_resources = PodResources(lambda: self.faults)
        """Which pod has which device, as the kubelet reports it."""
        self.registered: Mapping[str, int] = {}
        """The resources that a device plugin last registered, even if it does not run any more."""
        self.dra_plugins: set[str] = set()
        """The pods whose plugin of the DRA driver is registered, by uid."""
        self.exporter: Scrape | None = None
        """Answers a scrape of dcgm-exporter; None while its container does not run."""
        self.stuck_manager = ""
        """Uid of the MIG Manager pod that got stuck first, for :attr:`Fault.MANAGER_WEDGED`."""
        self._listeners: list[Listener] = []
        self._offered: Mapping[str, int] = {}
        self._status_changed = asyncio.Event()
        self._is_down = False
        self._cached: tuple[tuple[int, int], Driver] | None = None
        self._used_up: set[Fault] = set()

    @property
    def api(self) -> Api:
        return self.surroundings.api

    @property
    def timing(self) -> Timing:
        return self.surroundings.timing

    @property
    def spawn(self) -> Spawn:
        return self.surroundings.spawn

    @property
    def projection_s(self) -> float:
        """Seconds from a ConfigMap's change to the changed file in this node's pods."""
        return LATE_PROJECTION_S if Fault.CONFIG_MAP_LATE in self.faults else self.timing.config_map_propagation

    @property
    def labels(self) -> Mapping[str, str]:
        return self.object["metadata"].get("labels") or {}

    @property
    def annotations(self) -> Mapping[str, str]:
        return self.object["metadata"].get("annotations") or {}

    @property
    def faults(self) -> frozenset[Fault]:
        """The injected faults, without one-time faults that have had their effect."""
        return faults.read(self.annotations) - self._used_up

    def use_up(self, fault: Fault) -> bool:
        """Whether a one-time fault takes effect now. It takes effect again only after it is cleared and injected."""
        if fault not in self.faults:
            return False
        self._used_up.add(fault)
        return True

    @property
    def driver(self) -> Driver:
        """The driver's state, to read only; parsed again when its file has changed."""
        stamp = self.driver_stamp
        if self._cached is None or self._cached[0] != stamp:
            self._cached = stamp, self.driver_file.read()
        return self._cached[1]

    @property
    def driver_stamp(self) -> tuple[int, int]:
        """Different after each change of the driver: inode and modification time in ns of its file."""
        found = self.driver_file.path.stat()
        return found.st_ino, found.st_mtime_ns

    def install_driver(self) -> None:
        """Write the driver's state of a new machine, if there is no state yet; remove clients of an earlier run."""
        if not self.driver_file.path.exists():
            spec, file = self.spec, self.surroundings.fleet_file
            gpus = [new_gpu(spec.name, index, spec.gpu, spec.product) for index in range(spec.gpus)]
            self.driver_file.write(Driver(file.driver, file.cuda_version, gpus))
        with self.driver_file.change() as driver:
            # Clients do not survive the end of their processes.
            for gpu in driver.gpus:
                gpu.clients.clear()

    def node_changed(self, before: Json | None, after: Json) -> None:
        """The Node object changed."""
        former, self.object = self.object, after
        if _fault_annotations(former) != _fault_annotations(after):
            self._apply_faults()
        if before is not None:
            for listener in tuple(self._listeners):
                listener(before, after)

    async def wait_for_fault(self, fault: Fault) -> None:
        """Return when the fault is injected."""
        injected = asyncio.Event()

        def check(_before: Json, _after: Json) -> None:
            if fault in self.faults:
                injected.set()

        with self.listening(check):
            check(self.object, self.object)
            await injected.wait()

    @contextlib.contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Call ``listener(before, after)`` for each change of the Node object inside the ``with`` block."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    async def patch_labels(self, labels: Mapping[str, str | None]) -> None:
        await self.api.patch(f"/api/v1/nodes/{self.name}", {"metadata": {"labels": dict(labels)}})

    def offer(self, resources: Mapping[str, int]) -> None:
        """Take over what the device plugin registers; empty when it ends. :meth:`publish` writes it to the Node."""
        self.registered = resources or self.registered
        self._offered = resources
        self._status_changed.set()

    def set_down(self, down: bool) -> None:
        """The machine goes down for a reboot, or is up again with a new boot id."""
        self._is_down = down
        if not down:
            self.boot_id = str(uuid.uuid4())
        self._update_runtime()

    async def publish(self) -> None:
        """Keep the Node's status current; never returns."""
        # Compared with our own last write, because the watched Node may be older than that.
        published = NodeStatus.of(self.object)
        while True:
            await self._status_changed.wait()
            self._status_changed.clear()
            current = replace(published, ready=self.runtime_ready.is_set(), boot_id=self.boot_id)
            if Fault.STALE_ALLOCATABLE not in self.faults:
                current = current.offering(self._offered)
            if current == published:
                continue
            try:
                await self.api.patch(f"/api/v1/nodes/{self.name}/status", current.patch(published))
                published = current
            except ApiError:
                await asyncio.sleep(RETRY_S)
                self._status_changed.set()

    def log_file(self, pod: str) -> Path:
        folder = self.directory / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{pod}.log"

    def _apply_faults(self) -> None:
        """Faults were injected or cleared: update the driver's state, the clock and the container runtime."""
        self._used_up &= faults.read(self.annotations)
        errors = faults.read_nvml_errors(self.annotations)
        if self.driver.errors != errors:
            with self.driver_file.change() as driver:
                driver.errors = errors
        clock.write_error(self.clock_file, self.faults)
        self._update_runtime()

    def _update_runtime(self) -> None:
        if self._is_down or Fault.NODE_NOT_READY in self.faults:
            self.runtime_ready.clear()
        else:
            self.runtime_ready.set()
        self._status_changed.set()


def _fault_annotations(node: Json) -> tuple[str | None, str | None]:
    annotations = node["metadata"].get("annotations") or {}
    return annotations.get(faults.ANNOTATION), annotations.get(faults.NVML_ERRORS)
