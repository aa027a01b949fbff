"""The daemon: the process that runs the control plane and the nodes of one fleet."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Final

from mig_fleet.simulator import clock
from mig_fleet.simulator.api import Api
from mig_fleet.simulator.behaviours import behaviours
from mig_fleet.simulator.cluster import Cluster
from mig_fleet.simulator.control_plane import ControlPlane
from mig_fleet.simulator.driver.library import library as driver_library
from mig_fleet.simulator.errors import MissingBinary, NotStarted, SimulatorError
from mig_fleet.simulator.fleet_file import DEFAULT, GIVEN, FleetFile
from mig_fleet.simulator.genuine import dra_plugin as genuine_dra
from mig_fleet.simulator.genuine import require_namespaces
from mig_fleet.simulator.node.container import BehaviourOf
from mig_fleet.simulator.operands import dra_plugin, in_process_probe, manager
from mig_fleet.simulator.operands.genuine_dra_plugin import GenuineDraPlugin
from mig_fleet.simulator.operands.genuine_manager import MANAGER, PARTED, GenuineManager
from mig_fleet.simulator.operands.probe_process import ProbeProcess
from mig_fleet.simulator.prometheus.server import PrometheusServer
from mig_fleet.simulator.running import ALREADY_RUNNING, Lock, Status
from mig_fleet.simulator.tasks import Tasks
from mig_fleet.simulator.temporary_folder import temporary_folder

CHECK_INTERVAL_S: Final = 1.0


class Daemon:
    """Runs the fleet of one folder in the foreground; ``genuine`` with NVIDIA's own programs on each node. A fleet that
    had them, and whose process was killed, has them again without ``genuine``.
    """

    def __init__(
        self, directory: Path, binaries: Path, fleet_file: Path | None = None, *, genuine: bool = False
    ) -> None:
        self.directory = directory.resolve()
        self.plane = ControlPlane(self.directory, binaries.resolve())
        self.fleet_file = fleet_file
        self._asked = binaries.resolve() if genuine else None
        self._genuine = ""
        self._began = time.monotonic()
        self._step = ""
        self._tasks = Tasks()
        self._prometheus: PrometheusServer | None = None

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; returns the exit status. Errors are in the status file and on stderr."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = Lock(self.directory)
        if not lock.acquire():
            return ALREADY_RUNNING
        self._genuine = Status.read(self.directory).genuine
        try:
            with temporary_folder():
                asyncio.run(self._run())
        except SimulatorError as exc:
            self._report("failed", error=str(exc))
            print(exc, file=sys.stderr)
            return 1
        self._report("stopped")
        return 0

    async def _run(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "asyncio.run makes one"
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            try:
                await self._serve()
            finally:
                await self._tasks.cancel()
                if self._prometheus is not None:
                    self._prometheus.stop()
                self.plane.stop()

    async def _serve(self) -> None:
        self._report_step("the fleet file")
        file = FleetFile.load(self._own_fleet_file())
        nvml, wrong_clock = driver_library(self.directory), clock.library(self.directory)
        await self.plane.start(self._report_step, file.is_large)
        self._report_step("nodes")
        async with Api(self.directory) as api:
            cluster = Cluster(self.directory, file, api, self._behaviours(file, nvml, wrong_clock))
            asyncio.get_running_loop().add_signal_handler(
                signal.SIGHUP, lambda: cluster.change_to(FleetFile.load(self.directory / "fleet.yaml"))
            )
            nodes = asyncio.create_task(cluster.run(lambda: self._ready(cluster.telemetry.url)))
            check = asyncio.create_task(self._check_control_plane())
            try:
                done, _ = await asyncio.wait((nodes, check), return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in (nodes, check):
                    task.cancel()
                await asyncio.gather(nodes, check, return_exceptions=True)

    def _ready(self, telemetry: str) -> None:
        """Report it, with the URL of the exporters; from now on a user may ask for a Prometheus."""
        prometheus = self._prometheus = PrometheusServer(self.directory, telemetry)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, lambda: self._tasks.spawn(prometheus.restart()))
        self._report("ready", telemetry=telemetry)

    def _behaviours(self, file: FleetFile, nvml: Path, wrong_clock: Path) -> BehaviourOf:
        """``nvml``: folder with ``libnvidia-ml.so.1``; ``wrong_clock``: library to preload into the probes."""
        mig_manager, dra_driver = manager.run, dra_plugin.run
        programs = self._asked or (Path(self._genuine) if self._genuine else None)
        if programs is not None:
            _require(programs, MANAGER, PARTED, *((genuine_dra.PROGRAM,) if file.allocation == "dra" else ()))
            self._genuine = str(programs)
            mig_manager = GenuineManager(nvml, programs, self.plane.kubeconfig).run
            dra_driver = GenuineDraPlugin(nvml, programs, self.plane.kubeconfig).run
        if file.probe == "inProcess":
            return behaviours(in_process_probe.run, mig_manager, dra_driver)
        authority = (self.directory / "pki/ca.crt").read_bytes()
        return behaviours(ProbeProcess(nvml, wrong_clock, authority).run, mig_manager, dra_driver)

    async def _check_control_plane(self) -> None:
        """Raise :class:`NotStarted` as soon as one of the control plane's programs has ended."""
        while (failure := self.plane.failed()) is None:
            await asyncio.sleep(CHECK_INTERVAL_S)
        raise NotStarted(failure)

    def _own_fleet_file(self) -> Path:
        """The folder's copy of the fleet file, with the nodes added and removed since; a restart resumes with it."""
        own, given = self.directory / "fleet.yaml", self.directory / GIVEN
        source = self.fleet_file
        is_same = source is None or (given.exists() and given.read_bytes() == source.read_bytes())
        if not (own.exists() and is_same):
            for copy in (given, own):
                shutil.copyfile(source or DEFAULT, copy)
        return own

    def _report_step(self, step: str) -> None:
        self._step = step
        self._report("starting")

    def _report(self, phase: str, error: str = "", telemetry: str = "") -> None:
        running = phase in ("starting", "ready")
        Status(
            phase=phase,
            step=self._step if phase == "starting" else "",
            pid=os.getpid() if running else 0,
            server=self.plane.server if self.plane.ports and running else "",
            kubeconfig=str(self.plane.kubeconfig),
            telemetry=telemetry,
            seconds=round(time.monotonic() - self._began, 1),
            error=error,
            processes={name: child.pid for name, child in self.plane.children.items()} if running else {},
            genuine=self._genuine,
        ).write(self.directory)


def _require(programs: Path, *names: str) -> None:
    """Raises :class:`NotStarted` or :class:`MissingBinary` if NVIDIA's programs cannot run on this machine."""
    require_namespaces()
    for name in names:
        if not os.access(programs / name, os.X_OK):
            raise MissingBinary(
                f"{name} is not in {programs} (or not executable); `mig-fleet simulate up --genuine` installs it"
            )
