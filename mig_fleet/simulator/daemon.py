"""The process that a running fleet is: control plane and nodes."""

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
from mig_fleet.simulator.cluster import Cluster
from mig_fleet.simulator.control_plane import ControlPlane
from mig_fleet.simulator.driver.library import library as driver_library
from mig_fleet.simulator.errors import NotStarted, SimulatorError
from mig_fleet.simulator.fleet_file import DEFAULT, GIVEN, FleetFile
from mig_fleet.simulator.running import ALREADY_RUNNING, Lock, Status

WATCH_CHILDREN_S: Final = 1.0


class Daemon:
    """Runs the fleet of one folder in the foreground."""

    def __init__(self, directory: Path, binaries: Path, fleet_file: Path | None = None) -> None:
        self.directory = directory.resolve()
        self.plane = ControlPlane(self.directory, binaries.resolve())
        self.fleet_file = fleet_file
        self._began = time.monotonic()
        self._step = ""

    def run(self) -> int:
        """Until SIGTERM or SIGINT; returns the exit status. What went wrong is in the status file and on stderr."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = Lock(self.directory)
        if not lock.acquire():
            return ALREADY_RUNNING
        try:
            asyncio.run(self._run())
        except SimulatorError as exc:
            self._tell("failed", error=str(exc))
            print(exc, file=sys.stderr)
            return 1
        self._tell("stopped")
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
                self.plane.stop()

    async def _serve(self) -> None:
        self._say("the fleet file")
        file = FleetFile.load(self._own_fleet_file())
        nvml, wrong_clock = driver_library(self.directory), clock.library(self.directory)
        await self.plane.start(self._say, file.is_large)
        self._say("nodes")
        async with Api(self.directory) as api:
            cluster = Cluster(self.directory, file, api, nvml, wrong_clock)
            asyncio.get_running_loop().add_signal_handler(
                signal.SIGHUP, lambda: cluster.become(FleetFile.load(self.directory / "fleet.yaml"))
            )
            nodes = asyncio.create_task(cluster.run(lambda: self._tell("ready")))
            guard = asyncio.create_task(self._guard())
            try:
                done, _ = await asyncio.wait((nodes, guard), return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in (nodes, guard):
                    task.cancel()
                await asyncio.gather(nodes, guard, return_exceptions=True)

    async def _guard(self) -> None:
        """A control plane that lost a part is none."""
        while (failure := self.plane.failed()) is None:
            await asyncio.sleep(WATCH_CHILDREN_S)
        raise NotStarted(failure)

    def _own_fleet_file(self) -> Path:
        """The folder keeps its fleet file, with who joined and left: resuming takes that one."""
        own, given = self.directory / "fleet.yaml", self.directory / GIVEN
        wanted = self.fleet_file
        is_same = wanted is None or (given.exists() and given.read_bytes() == wanted.read_bytes())
        if not (own.exists() and is_same):
            for copy in (given, own):
                shutil.copyfile(wanted or DEFAULT, copy)
        return own

    def _say(self, step: str) -> None:
        self._step = step
        self._tell("starting")

    def _tell(self, phase: str, error: str = "") -> None:
        running = phase in ("starting", "ready")
        Status(
            phase=phase,
            step=self._step if phase == "starting" else "",
            pid=os.getpid() if running else 0,
            server=self.plane.server if self.plane.ports and running else "",
            kubeconfig=str(self.plane.kubeconfig),
            seconds=round(time.monotonic() - self._began, 1),
            error=error,
            processes={name: child.pid for name, child in self.plane.children.items()} if running else {},
        ).write(self.directory)
