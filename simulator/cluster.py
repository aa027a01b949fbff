"""All nodes of the fleet in one event loop: what the API server says is passed on to the node that it concerns."""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

from simulator.api import Api, Informer, Json
from simulator.errors import ApiError
from simulator.fleet_file import FleetFile
from simulator.kubelet_server import KubeletServer
from simulator.node import status
from simulator.node.context import Context
from simulator.node.kubelet import Kubelet
from simulator.node.mounts import ConfigMaps
from simulator.node.node import SimulatedNode


class Cluster:
    """The fleet's nodes on a running control plane.

    ``nvml`` is the folder with ``libnvidia-ml.so.1``.
    """

    def __init__(self, directory: Path, fleet_file: FleetFile, api: Api, nvml: Path) -> None:
        self.directory, self.fleet_file, self.api = directory, fleet_file, api
        self.nvml = nvml
        self.python = sys.executable
        self.authority = (directory / "pki/ca.crt").read_bytes()
        self.config_maps = ConfigMaps(api)
        self.nodes = Informer(api, "/api/v1/nodes", self._node_changed)
        self.pods = Informer(api, "/api/v1/pods", self._pod_changed)
        self.members = {spec.name: SimulatedNode(spec, self) for spec in fleet_file.nodes}
        self.kubelets = {name: Kubelet(node) for name, node in self.members.items()}
        self._index = {name: index for index, name in enumerate(self.members)}
        self._listeners: list[Callable[[str], None]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def index(self, node: str) -> int:
        """The node's place in the fleet file."""
        return self._index[node]

    async def run(self, ready: Callable[[], None]) -> None:
        """Register the nodes, call ``ready``, and live until cancelled; then nothing of it is left running."""
        try:
            for node in self.members.values():
                node.install_driver()
            async with KubeletServer(self.directory, self._running) as server:
                await asyncio.gather(*(self._register(node, server.port) for node in self.members.values()))
                # Pods last: what they need is known by then.
                for informer in (self.nodes, self.config_maps, self.pods):
                    self.spawn(informer.run())
                    await informer.synced.wait()
                for node in self.members.values():
                    self.spawn(node.publish())
                ready()
                await asyncio.Event().wait()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

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

    def _running(self, namespace: str, name: str) -> Context | None:
        pod = self.pods.objects.get(f"{namespace}/{name}")
        kubelet = pod and self.kubelets.get(pod["spec"].get("nodeName", ""))
        return kubelet.running(pod["metadata"]["uid"]) if pod and kubelet else None

    async def _register(self, node: SimulatedNode, port: int) -> None:
        body = status.node(node.spec, port)
        try:
            await self.api.create("/api/v1/nodes", body)
        except ApiError as exc:
            if exc.status != 409:
                raise
            # A kubelet that comes back finds its Node with labels that others put there, and leaves them alone.
            anew = {key: body["status"][key] for key in ("daemonEndpoints", "declaredFeatures")}
            await self.api.patch(f"/api/v1/nodes/{node.name}/status", {"status": anew})

    def _node_changed(self, before: Json | None, after: Json | None) -> None:
        item = after or before
        assert item is not None, "an informer reports a change of something"
        node = self.members.get(item["metadata"]["name"])
        if node is None or after is None:
            return
        node.node_changed(before, after)
        for listener in tuple(self._listeners):
            listener(node.name)

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
