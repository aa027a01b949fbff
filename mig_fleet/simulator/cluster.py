"""All nodes of the fleet in one event loop: what the API server says is passed on to the node that it concerns."""

import asyncio
import contextlib
import itertools
import shutil
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

from mig_fleet.simulator.api import Api, Informer, Json
from mig_fleet.simulator.errors import ApiError
from mig_fleet.simulator.fleet_file import FleetFile, NodeSpec
from mig_fleet.simulator.kubelet_server import KubeletServer
from mig_fleet.simulator.node.context import Context
from mig_fleet.simulator.node.kubelet import Kubelet
from mig_fleet.simulator.node.mounts import ConfigMaps
from mig_fleet.simulator.node.node import SimulatedNode
from mig_fleet.simulator.node.node_status import new_node


class Cluster:
    """The fleet's nodes on a running control plane.

    ``nvml`` is the folder with ``libnvidia-ml.so.1``, ``wrong_clock`` the library to preload where the time is wrong.
    """

    def __init__(self, directory: Path, fleet_file: FleetFile, api: Api, nvml: Path, wrong_clock: Path) -> None:
        self.directory, self.fleet_file, self.api = directory, fleet_file, api
        self.nvml, self.wrong_clock = nvml, wrong_clock
        self.python = sys.executable
        self.authority = (directory / "pki/ca.crt").read_bytes()
        self.config_maps = ConfigMaps(api)
        self.nodes = Informer(api, "/api/v1/nodes", self._node_changed)
        self.pods = Informer(api, "/api/v1/pods", self._pod_changed)
        self.kubelets: dict[str, Kubelet] = {}
        self._numbers = itertools.count()
        self._server = KubeletServer(directory, self._running)
        self._listeners: list[Callable[[str], None]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def member(self, name: str) -> SimulatedNode | None:
        """A node of ours that is there."""
        kubelet = self.kubelets.get(name)
        return kubelet.node if kubelet else None

    async def run(self, ready: Callable[[], None]) -> None:
        """Register the nodes, call ``ready``, and live until cancelled; then nothing of it is left running."""
        try:
            async with self._server:
                await asyncio.gather(*(self._register(spec) for spec in self.fleet_file.nodes))
                # Pods last: what they need is known by then.
                for informer in (self.nodes, self.config_maps, self.pods):
                    self.spawn(informer.run())
                    await informer.synced.wait()
                for kubelet in self.kubelets.values():
                    kubelet.begin()
                ready()
                await asyncio.Event().wait()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def become(self, file: FleetFile) -> None:
        """Let nodes join and leave until there are those of ``file``."""
        wanted = {spec.name: spec for spec in file.nodes}
        for name in self.kubelets.keys() - wanted.keys():
            self.spawn(self._leave(name))
        for name in wanted.keys() - self.kubelets.keys():
            self.spawn(self._join(wanted[name]))

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something that ends with the fleet at the latest; its failure is printed and hurts nobody else."""
        task = asyncio.create_task(_guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @contextlib.contextmanager
    def listening_to_nodes(self, listener: Callable[[str], None]) -> Iterator[None]:
        """Calls ``listener(name)`` for each change of one of our nodes."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    async def _register(self, spec: NodeSpec) -> Kubelet:
        node = SimulatedNode(spec, self, next(self._numbers))
        node.install_driver()
        kubelet = self.kubelets[spec.name] = Kubelet(node)
        body = new_node(spec, self._server.port, node.boot_id)
        try:
            await self.api.create("/api/v1/nodes", body)
        except ApiError as exc:
            if exc.status != 409:
                raise
            # A kubelet that comes back finds its Node with labels that others put there, and leaves them alone.
            anew = {key: body["status"][key] for key in ("daemonEndpoints", "declaredFeatures")}
            known = await self.api.patch(f"/api/v1/nodes/{spec.name}/status", {"status": anew})
            node.boot_id = known["status"]["nodeInfo"]["bootID"]
        return kubelet

    async def _join(self, spec: NodeSpec) -> None:
        kubelet = await self._register(spec)
        kubelet.begin()

    async def _leave(self, name: str) -> None:
        """The machine is switched off for good; its Node and its pods go as a cloud's controllers clear them away."""
        kubelet = self.kubelets.pop(name)
        await kubelet.end()
        await self.api.delete(f"/api/v1/nodes/{name}")
        for pod in kubelet.pods(lambda _: True):
            with contextlib.suppress(ApiError):
                await self.api.delete(pod.path, {"gracePeriodSeconds": 0})
        shutil.rmtree(kubelet.node.directory, ignore_errors=True)

    def _running(self, namespace: str, name: str) -> Context | None:
        pod = self.pods.objects.get(f"{namespace}/{name}")
        kubelet = pod and self.kubelets.get(pod["spec"].get("nodeName", ""))
        return kubelet.running(pod["metadata"]["uid"]) if pod and kubelet else None

    def _node_changed(self, before: Json | None, after: Json | None) -> None:
        item = after or before
        assert item is not None, "an informer reports a change of something"
        kubelet = self.kubelets.get(item["metadata"]["name"])
        if kubelet is None or after is None:
            return
        kubelet.node_changed(before, after)
        for listener in tuple(self._listeners):
            listener(kubelet.node.name)

    def _pod_changed(self, before: Json | None, after: Json | None) -> None:
        item = after or before
        assert item is not None, "an informer reports a change of something"
        kubelet = self.kubelets.get(item["spec"].get("nodeName", ""))
        if kubelet is not None:
            kubelet.pod_changed(after, item["metadata"]["uid"])


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except asyncio.CancelledError:
        raise
    except Exception as exc:
        print(f"{getattr(work, '__qualname__', work)}: {type(exc).__name__}: {exc}", file=sys.stderr, flush=True)
