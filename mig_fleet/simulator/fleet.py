"""A handle on a simulated fleet: start it, ask it, play bad days on it, stop it."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mig_fleet.simulator import background, faults
from mig_fleet.simulator.api import Api, Json
from mig_fleet.simulator.bad_api import BadApi
from mig_fleet.simulator.driver import Driver, DriverFile
from mig_fleet.simulator.errors import ApiError, NotRunning, UnknownNode
from mig_fleet.simulator.faults import Fault
from mig_fleet.simulator.fleet_file import FleetFile, NodeSpec
from mig_fleet.simulator.node import reboot
from mig_fleet.simulator.patience import until
from mig_fleet.simulator.running import Status, holder
from mig_fleet.simulator.user_pods import UserPods

T = TypeVar("T")


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
        return background.start(self.directory, binaries, fleet_file, say, attached)

    def down(self) -> bool:
        """Stop the fleet and forget its cluster; whether there was one to stop. Nothing of it runs afterwards."""
        return background.stop(self.directory)

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
        return tuple(node.name for node in self._file().nodes)

    def join_node(self, spec: NodeSpec | Mapping[str, Any]) -> None:
        """A machine that was not there before joins, as the fleet file would describe it; returns when it is Ready."""
        new = NodeSpec.model_validate(spec)
        self._become(self._file().joined(new))
        until(lambda: self._is_ready(new.name), f"{new.name} is Ready")

    def remove_node(self, name: str) -> None:
        """A machine leaves for good: its Node is deleted, its disk and GPUs are gone. Returns when it has left."""
        node = self._node(name)
        self._become(self._file().left(name))
        until(lambda: not (self.directory / "nodes" / name).exists(), f"{name} has left")
        until(lambda: self._uid(name) != node["metadata"]["uid"], f"node {name} is deleted")

    def reboot(self, node: str) -> None:
        """Reboot a node; returns when it is Ready again, with its pods just starting."""
        before = self._boot_id(node)
        self._annotate(node, {reboot.ANNOTATION: before})
        until(lambda: self._boot_id(node) != before and self._is_ready(node), f"{node} is back")

    def faults(self, node: str) -> frozenset[Fault]:
        """What is being played on a node."""
        return faults.read(self._annotations(node))

    def inject(self, node: str, fault: Fault) -> None:
        """Play a bad day on a node until :meth:`heal`."""
        self._annotate(node, {faults.ANNOTATION: faults.write(self.faults(node) | {fault})})

    def nvml_error(self, node: str, call: str, code: int) -> None:
        """Let a function of the NVML library fail with a code, by its name in the library, until :meth:`heal`.

        Returns when it does.
        """
        errors = faults.listed_nvml_errors(self._annotations(node))
        self._annotate(node, {faults.NVML_ERRORS: faults.write_nvml_errors({**errors, call: code})})
        until(lambda: self.driver(node).errors.get(call) == code, f"{call} fails on {node}")

    def heal(self, node: str, fault: Fault | None = None) -> None:
        """End one fault of a node, or all of them and every NVML error."""
        playing = self.faults(node)
        if fault is None:
            self._annotate(node, {faults.ANNOTATION: None, faults.NVML_ERRORS: None})
        else:
            self._annotate(node, {faults.ANNOTATION: faults.write(playing - {fault})})

    def driver(self, node: str) -> Driver:
        """The state of a node's driver, as it is now."""
        return self.driver_file(node).read()

    def driver_file(self, node: str) -> DriverFile:
        """For changing a driver's state behind everyone's back: ``with fleet.driver_file(node).change() as driver``."""
        file = DriverFile(self.directory / "nodes" / node / "driver")
        if not file.path.exists():
            raise self._unknown(node)
        return file

    def destroy_slice(self, node: str, gpu: int, start: int) -> str:
        """Destroy the GPU instance at a memory slice, as a hand on `nvidia-smi mig -dgi` would; returns its profile."""
        with self.driver_file(node).change() as driver:
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

    def roll(self, namespace: str, daemon_set: str) -> None:
        """Every pod of a DaemonSet is replaced, as by an upgrade of its chart or `kubectl rollout restart`."""
        path = f"/apis/apps/v1/namespaces/{namespace}/daemonsets/{daemon_set}"
        stamp = {"kubectl.kubernetes.io/restartedAt": str(self.call("get", path)["metadata"]["resourceVersion"])}
        self.call("patch", path, {"spec": {"template": {"metadata": {"annotations": stamp}}}})

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

    def _file(self) -> FleetFile:
        return FleetFile.load(self.directory / "fleet.yaml")

    def _become(self, file: FleetFile) -> None:
        """Tell the running fleet that it has other nodes now."""
        pid = holder(self.directory)
        if pid is None:
            raise NotRunning(f"no fleet runs in {self.directory}; `mig-fleet fleet up` starts one")
        file.save(self.directory / "fleet.yaml")
        os.kill(pid, signal.SIGHUP)

    def _annotate(self, node: str, annotations: Mapping[str, str | None]) -> None:
        self.call("patch", f"/api/v1/nodes/{node}", {"metadata": {"annotations": dict(annotations)}})

    def _annotations(self, node: str) -> Mapping[str, str]:
        return self._node(node)["metadata"].get("annotations") or {}

    def _boot_id(self, node: str) -> str:
        return str(self._node(node)["status"]["nodeInfo"]["bootID"])

    def _is_ready(self, node: str) -> bool:
        try:
            conditions = self._node(node)["status"].get("conditions") or []
        except UnknownNode:
            return False
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    def _uid(self, node: str) -> str | None:
        try:
            return str(self._node(node)["metadata"]["uid"])
        except UnknownNode:
            return None

    def _node(self, name: str) -> Json:
        try:
            return self.call("get", f"/api/v1/nodes/{name}")
        except ApiError as exc:
            if exc.status != 404:
                raise
            raise self._unknown(name) from None

    def _unknown(self, node: str) -> UnknownNode:
        own = self.directory / "fleet.yaml"
        known = ", ".join(self.node_names()) if own.exists() else "none: no fleet was started here"
        return UnknownNode(f"no node '{node}' in the fleet of {self.directory}; there is: {known}")
