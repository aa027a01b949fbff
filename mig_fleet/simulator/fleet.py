"""A simulated fleet, for tests and commands: start it, read it, inject faults, stop it."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mig_fleet.simulator import background, faults
from mig_fleet.simulator.api import Api, Json
from mig_fleet.simulator.driver import Driver, DriverFile
from mig_fleet.simulator.errors import ApiError, NoSuchFault, NotRunning, UnknownNode
from mig_fleet.simulator.faults import Fault
from mig_fleet.simulator.faulty_api import FaultyApi
from mig_fleet.simulator.fleet_file import FleetFile, NodeSpec
from mig_fleet.simulator.history.snapshot import Snapshot
from mig_fleet.simulator.node import reboot
from mig_fleet.simulator.polling import wait_until
from mig_fleet.simulator.running import Status, daemon_pid
from mig_fleet.simulator.user_pods import UserPods

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fleet:
    """The fleet in a folder, running or not."""

    directory: Path

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def is_running(self) -> bool:
        return daemon_pid(self.directory) is not None

    def up(
        self,
        binaries: Path,
        fleet_file: Path | None = None,
        progress: Callable[[str], None] = lambda _: None,
        attached: bool = False,
        genuine: bool = False,
    ) -> Status:
        """Start the fleet in the background, or wait for the one that starts already; returns when it is ready.

        ``progress`` is called with the name of each step. With ``attached`` the fleet ends with this process. After a
        crash the fleet resumes with its cluster's contents. ``genuine``: NVIDIA's own MIG Manager runs on each node,
        from ``binaries``. Raises :class:`NotStarted`, also if a fleet without it is running.
        """
        return background.start(self.directory, binaries, fleet_file, progress, attached=attached, genuine=genuine)

    def down(self) -> bool:
        """Stop the fleet and all its processes, and delete its cluster; returns whether a fleet was running."""
        return background.stop(self.directory)

    def status(self) -> Status:
        """The daemon's last report; ``failed`` if its process has ended since."""
        status = Status.read(self.directory)
        if status.phase in ("starting", "ready") and daemon_pid(self.directory) != status.pid:
            return Status("failed", error="the fleet's process is gone; `mig-fleet simulate up` resumes it")
        return status

    def nodes(self) -> list[Json]:
        """The Node objects of the cluster, in the fleet file's order."""
        found = {item["metadata"]["name"]: item for item in self.call("get", "/api/v1/nodes")["items"]}
        return [found[name] for name in self.node_names() if name in found]

    def node_names(self) -> tuple[str, ...]:
        return tuple(node.name for node in self._file().nodes)

    def join_node(self, spec: NodeSpec | Mapping[str, Any]) -> None:
        """Add a node, with the keys of the fleet file; returns when it is Ready."""
        new = NodeSpec.model_validate(spec)
        self._change_to(self._file().with_node(new))
        wait_until(lambda: self._is_ready(new.name), f"node {new.name} is Ready")

    def remove_node(self, name: str) -> None:
        """Remove a node with its disk and GPUs for good; returns when its Node is deleted."""
        node = self._node(name)
        self._change_to(self._file().without_node(name))
        wait_until(lambda: not (self.directory / "nodes" / name).exists(), f"the files of node {name} are deleted")
        wait_until(lambda: self._uid(name) != node["metadata"]["uid"], f"node {name} is deleted")

    def reboot(self, node: str) -> None:
        """Reboot a node; returns when it is Ready again, while its pods start."""
        before = self._boot_id(node)
        self._annotate(node, {reboot.ANNOTATION: before})
        wait_until(lambda: self._boot_id(node) != before and self._is_ready(node), f"node {node} has rebooted")

    def faults(self, node: str) -> frozenset[Fault]:
        """The injected faults of a node."""
        return faults.read(self._annotations(node))

    def inject(self, node: str, fault: Fault) -> None:
        """Inject a fault into a node, until :meth:`clear_faults`. Raises :class:`NoSuchFault`."""
        if fault in faults.OF_SIMULATED_MANAGER and self.status().genuine:
            raise NoSuchFault(f"{fault} is a fault of the simulated MIG Manager; NVIDIA's own one runs on these nodes")
        self._annotate(node, {faults.ANNOTATION: faults.write(self.faults(node) | {fault})})

    def inject_nvml_error(self, node: str, call: str, code: int) -> None:
        """Let a function of the NVML library return an error code, until :meth:`clear_faults`.

        ``call`` is the function's name in the library. Returns when the error is in effect.
        """
        errors = faults.listed_nvml_errors(self._annotations(node))
        self._annotate(node, {faults.NVML_ERRORS: faults.write_nvml_errors({**errors, call: code})})
        wait_until(lambda: self.driver(node).errors.get(call) == code, f"{call} returns {code} on node {node}")

    def clear_faults(self, node: str, fault: Fault | None = None) -> None:
        """End one fault of a node; by default all faults and NVML errors."""
        injected = self.faults(node)
        if fault is None:
            self._annotate(node, {faults.ANNOTATION: None, faults.NVML_ERRORS: None})
        else:
            self._annotate(node, {faults.ANNOTATION: faults.write(injected - {fault})})

    def driver(self, node: str) -> Driver:
        """The current state of a node's driver."""
        return self.driver_file(node).read()

    def driver_file(self, node: str) -> DriverFile:
        """The file of a node's driver; a test changes it with ``with fleet.driver_file(node).change() as driver``."""
        file = DriverFile(self.directory / "nodes" / node / "driver")
        if not file.path.exists():
            raise self._unknown(node)
        return file

    def destroy_slice(self, node: str, gpu: int, start: int) -> str:
        """Destroy the GPU instance at a memory slice, as `nvidia-smi mig -dgi` does; returns its profile."""
        with self.driver_file(node).change() as driver:
            if not 0 <= gpu < len(driver.gpus):
                raise UnknownNode(f"{node} has no GPU {gpu}; it has 0 to {len(driver.gpus) - 1}")
            instance = driver.gpus[gpu].instance_at(start)
            driver.gpus[gpu].destroy(instance.id)
        return instance.profile

    def call(self, method: str, path: str, *args: Any, **kwargs: Any) -> Json:
        """Send one request as administrator; ``method`` is one of :class:`Api`: get, create, patch or delete."""
        answer: Json = self._request(lambda api: getattr(api, method)(path, *args, **kwargs))
        return answer

    def pod_log(self, namespace: str, pod: str) -> str:
        """A pod's log from the API server, as `kubectl logs` reads it."""
        return self._request(lambda api: api.text(f"/api/v1/namespaces/{namespace}/pods/{pod}/log"))

    def restart_daemon_set(self, namespace: str, daemon_set: str) -> None:
        """Replace every pod of a DaemonSet, like `kubectl rollout restart` or an upgrade of its chart."""
        path = f"/apis/apps/v1/namespaces/{namespace}/daemonsets/{daemon_set}"
        stamp = {"kubectl.kubernetes.io/restartedAt": str(self.call("get", path)["metadata"]["resourceVersion"])}
        self.call("patch", path, {"spec": {"template": {"metadata": {"annotations": stamp}}}})

    @property
    def user_pods(self) -> UserPods:
        """Pods of the fleet's users, and their PodDisruptionBudgets."""
        return UserPods(self.call)

    def run_pod(self, node: str | None, requests: Mapping[str, int], **options: Any) -> str:
        """Short for :meth:`UserPods.run`."""
        return self.user_pods.run(node, requests, **options)

    def faulty_api(self) -> FaultyApi:
        """An API server with faults, for the clients of its kubeconfig: ``with fleet.faulty_api() as api``."""
        return FaultyApi(self.directory)

    def snapshot(self) -> Snapshot:
        """What the exporters report from: its :meth:`~mig_fleet.simulator.history.Snapshot.scrape` needs no fleet."""
        nodes, pods = self.nodes(), self.call("get", "/api/v1/pods")["items"]
        return Snapshot({name: self.driver(name) for name in self.node_names()}, nodes, pods)

    def _request(self, request: Callable[[Api], Coroutine[Any, Any, T]]) -> T:
        if not self.is_running:
            raise NotRunning(f"no fleet runs in {self.directory}; `mig-fleet simulate up` starts one")

        async def once() -> T:
            async with Api(self.directory) as api:
                return await request(api)

        return asyncio.run(once())

    def _file(self) -> FleetFile:
        return FleetFile.load(self.directory / "fleet.yaml")

    def _change_to(self, file: FleetFile) -> None:
        """Signal the daemon to change its nodes to those of ``file``."""
        pid = daemon_pid(self.directory)
        if pid is None:
            raise NotRunning(f"no fleet runs in {self.directory}; `mig-fleet simulate up` starts one")
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
        none = "none, no fleet runs there; `mig-fleet simulate up` starts one"
        known = ", ".join(self.node_names()) if own.exists() else none
        return UnknownNode(f"no node '{node}' in the fleet of {self.directory}; its nodes: {known}")
