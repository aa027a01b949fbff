"""A handle on a simulated fleet: start it, ask it, play bad days on it, stop it."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from simulator import faults
from simulator.api import Api, Json
from simulator.bad_api import BadApi
from simulator.control_plane.process import die_with
from simulator.driver import Driver, DriverFile
from simulator.errors import ApiError, NotRunning, NotStarted, UnknownNode
from simulator.faults import Fault
from simulator.fleet_file import FleetFile
from simulator.running import ALREADY_RUNNING, Status, holder
from simulator.user_pods import UserPods

T = TypeVar("T")

START_WITHIN_S: Final = 120
STOP_WITHIN_S: Final = 10
LOOK_EVERY_S: Final = 0.05

OURS: Final = ("etcd", "pki", "nodes", "logs", "kubeconfig", "status.json", "ports.json", "fleet.yaml", "daemon.log")
"""What a fleet leaves in its folder and ``down`` forgets. The compiled library and the lock stay."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The fleet of a folder, whether it runs or not."""

    directory: Path

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def is_running(self) -> bool:
        return holder(self.directory) is not None

    def up(
        self,
        binaries: Path,
        fleet_file: Path | None = None,
        say: Callable[[str], None] = lambda _: None,
        attached: bool = False,
    ) -> Status:
        """Start the fleet in the background, or wait for the one that is starting; returns when it is ready.

        ``attached`` ties it to this process: whatever ends us ends it. ``say`` hears of each step. A fleet that crashed
        is resumed with its cluster's contents. Raises :class:`NotStarted`.
        """
        if sys.platform != "linux":
            raise NotStarted(
                f"the simulated fleet needs Linux, and this is {sys.platform}; a container or a VM will do"
            )
        if fleet_file is not None:
            FleetFile.load(fleet_file)
            self._refuse_another(fleet_file)
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        daemon = None if self.is_running else self._spawn(binaries, fleet_file, attached)
        deadline, step = time.monotonic() + START_WITHIN_S, ""
        while time.monotonic() < deadline:
            ended = None if daemon is None else daemon.poll()
            if ended not in (None, ALREADY_RUNNING):
                raise NotStarted(Status.read(self.directory).error or self._last_words())
            status = Status.read(self.directory)
            if holder(self.directory) == status.pid:
                if status.phase == "ready":
                    return status
                if status.step != step:
                    step = status.step
                    say(step)
            time.sleep(LOOK_EVERY_S)
        raise NotStarted(f"the fleet was not ready after {START_WITHIN_S} s; {self._last_words()}")

    def down(self) -> bool:
        """Stop the fleet and forget its cluster; whether there was one to stop. Nothing of it runs afterwards."""
        pid = holder(self.directory)
        if pid is not None:
            self._end(pid)
        for name in OURS:
            path = self.directory / name
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        return pid is not None

    def status(self) -> Status:
        """As the daemon last said, corrected by whether it is still there."""
        status = Status.read(self.directory)
        if status.phase in ("starting", "ready") and holder(self.directory) != status.pid:
            return Status("failed", error="the fleet's process is gone; `mig-fleet fleet up` resumes it")
        return status

    def nodes(self) -> list[Json]:
        """The Node objects of the cluster, in the fleet file's order."""
        found = {item["metadata"]["name"]: item for item in self.call("get", "/api/v1/nodes")["items"]}
        return [found[name] for name in self.node_names() if name in found]

    def node_names(self) -> tuple[str, ...]:
        return tuple(node.name for node in FleetFile.load(self.directory / "fleet.yaml").nodes)

    def faults(self, node: str) -> frozenset[Fault]:
        """What is being played on a node."""
        return faults.read(self._node(node)["metadata"].get("annotations"))

    def inject(self, node: str, fault: Fault) -> None:
        """Play a bad day on a node until :meth:`heal`."""
        self._play(node, self.faults(node) | {fault})

    def heal(self, node: str, fault: Fault | None = None) -> None:
        """End one fault of a node, or all of them."""
        self._play(node, frozenset() if fault is None else self.faults(node) - {fault})

    def driver(self, node: str) -> Driver:
        """The state of a node's driver, as it is now."""
        return self._driver_file(node).read()

    def driver_file(self, node: str) -> DriverFile:
        """For changing a driver's state behind everyone's back: ``with fleet.driver_file(node).change() as driver``."""
        return self._driver_file(node)

    def destroy_slice(self, node: str, gpu: int, start: int) -> str:
        """Destroy the GPU instance at a memory slice, as a hand on `nvidia-smi mig -dgi` would; returns its profile."""
        with self._driver_file(node).change() as driver:
            if not 0 <= gpu < len(driver.gpus):
                raise UnknownNode(f"{node} has no GPU {gpu}; it has 0 to {len(driver.gpus) - 1}")
            instance = driver.gpus[gpu].instance_at(start)
            driver.gpus[gpu].destroy(instance.id)
        return instance.profile

    def call(self, method: str, path: str, *args: Any, **kwargs: Any) -> Json:
        """One request with an administrator's rights: ``get``, ``create``, ``patch`` or ``delete`` of :class:`Api`."""
        answer: Json = self._ask(lambda api: getattr(api, method)(path, *args, **kwargs))
        return answer

    def pod_log(self, namespace: str, pod: str) -> str:
        """A pod's log by way of the API server, as `kubectl logs` gets it."""
        return self._ask(lambda api: api.text(f"/api/v1/namespaces/{namespace}/pods/{pod}/log"))

    @property
    def user_pods(self) -> UserPods:
        """Pods of the fleet's users, and budgets that protect them."""
        return UserPods(self.call)

    def run_pod(self, node: str | None, requests: Mapping[str, int], **how: Any) -> str:
        """Short for :meth:`UserPods.run`."""
        return self.user_pods.run(node, requests, **how)

    def bad_api(self) -> BadApi:
        """An API server with bad days for the user of its kubeconfig: ``with fleet.bad_api() as api``."""
        return BadApi(self.directory)

    def _ask(self, question: Callable[[Api], Coroutine[Any, Any, T]]) -> T:
        if not self.is_running:
            raise NotRunning(f"no fleet runs in {self.directory}; `mig-fleet fleet up` starts one")

        async def once() -> T:
            async with Api(self.directory) as api:
                return await question(api)

        return asyncio.run(once())

    def _spawn(self, binaries: Path, fleet_file: Path | None, attached: bool) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "simulator", "serve"]
        command += ["--directory", str(self.directory.resolve()), "--binaries", str(binaries.resolve())]
        if fleet_file is not None:
            command += ["--fleet", str(fleet_file.resolve())]
        with (self.directory / "daemon.log").open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with(os.getpid()) if attached else None,  # noqa: PLW1509 (two system calls)
            )

    def _end(self, pid: int) -> None:
        """Politely, then not: the kernel takes all its children along either way."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            os.kill(pid, number)
            deadline = time.monotonic() + STOP_WITHIN_S
            while time.monotonic() < deadline:
                if holder(self.directory) != pid:
                    return
                time.sleep(LOOK_EVERY_S)
        raise NotRunning(f"process {pid} of the fleet in {self.directory} cannot be stopped")

    def _refuse_another(self, fleet_file: Path) -> None:
        own = self.directory / "fleet.yaml"
        if self.is_running and own.exists() and own.read_bytes() != fleet_file.read_bytes():
            raise NotStarted(
                f"a fleet from another file runs in {self.directory}; stop it first with `mig-fleet fleet down`"
            )

    def _last_words(self) -> str:
        log = self.directory / "daemon.log"
        lines = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else []
        return f"its log {log} ends with\n" + "\n".join(lines)

    def _play(self, node: str, wanted: frozenset[Fault]) -> None:
        self._node(node)
        annotations = {faults.ANNOTATION: faults.write(wanted)}
        self.call("patch", f"/api/v1/nodes/{node}", {"metadata": {"annotations": annotations}})

    def _node(self, name: str) -> Json:
        try:
            return self.call("get", f"/api/v1/nodes/{name}")
        except ApiError as exc:
            if exc.status != 404:
                raise
            raise self._unknown(name) from None

    def _driver_file(self, node: str) -> DriverFile:
        file = DriverFile(self.directory / "nodes" / node / "driver")
        if not file.path.exists():
            raise self._unknown(node)
        return file

    def _unknown(self, node: str) -> UnknownNode:
        own = self.directory / "fleet.yaml"
        known = ", ".join(self.node_names()) if own.exists() else "none: no fleet was started here"
        return UnknownNode(f"no node '{node}' in the fleet of {self.directory}; there is: {known}")
