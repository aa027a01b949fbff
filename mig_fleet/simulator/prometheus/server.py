"""Prometheus as a child of the daemon."""

import asyncio
import json
import time
from pathlib import Path
from typing import Final

import aiohttp

from mig_fleet.simulator.control_plane.process import Child
from mig_fleet.simulator.errors import SimulatorError
from mig_fleet.simulator.files import write_private
from mig_fleet.simulator.loopback import bound_socket
from mig_fleet.simulator.prometheus.configuration import configuration
from mig_fleet.simulator.prometheus.settings import FOLDER, Answer, Settings

READY_TIMEOUT_S: Final = 30
INTERVAL_S: Final = 0.05


class PrometheusServer:
    """The Prometheus of one fleet, started when a user asks for it. ``telemetry`` is the URL of the exporters."""

    def __init__(self, directory: Path, telemetry: str) -> None:
        self.folder, self.telemetry = directory / FOLDER, telemetry
        self._child: Child | None = None
        self._port = 0
        """Of the last start: the next one has the same URL, unless another process took the port."""
        self._one_start = asyncio.Lock()

    async def restart(self) -> None:
        """Start it with the settings in its folder, in place of the one that runs; without settings, only stop it.

        The answer is in its folder afterwards.
        """
        async with self._one_start:
            self.stop()
            settings = Settings.read(self.folder)
            try:
                url = await self._start(settings) if settings else ""
            except SimulatorError as exc:
                self.stop()
                Answer(error=str(exc)).write(self.folder)
            else:
                Answer(url=url).write(self.folder)

    def stop(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None

    async def _start(self, settings: Settings) -> str:
        file = self.folder / "prometheus.yml"
        # JSON is YAML.
        write_private(file, json.dumps(configuration(settings, self.telemetry), indent=1) + "\n")
        with bound_socket(self._port) as free:
            self._port = int(free.getsockname()[1])
        address = f"127.0.0.1:{self._port}"
        command = [
            settings.program,
            f"--config.file={file}",
            f"--storage.tsdb.path={self.folder / settings.database}",
            f"--web.listen-address={address}",
        ]
        child = self._child = Child("prometheus", command, self.folder / "log")
        deadline, url = time.monotonic() + READY_TIMEOUT_S, f"http://{address}"
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            while not await _is_ready(session, url):
                if child.exit_code is not None:
                    raise SimulatorError(f"Prometheus ended with exit code {child.exit_code}:\n{_errors(child)}")
                if time.monotonic() > deadline:
                    raise SimulatorError(f"Prometheus was not ready after {READY_TIMEOUT_S} s; its log is {child.log}")
                await asyncio.sleep(INTERVAL_S)
        return url


def _errors(child: Child) -> str:
    """The errors in its log, which are not the last lines of it."""
    lines = child.log.read_text(errors="replace").splitlines()
    return "\n".join(line for line in lines if "level=error" in line.lower()) or child.last_lines()


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/-/ready") as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
