"""All nodes of the fleet in one event loop: passes each reported change to the kubelet of its node."""

import asyncio
import contextlib
import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

from mig_fleet.simulator import dra_driver
from mig_fleet.simulator.api import Api, Json
from mig_fleet.simulator.errors import ApiError
from mig_fleet.simulator.fleet_file import FleetFile, NodeSpec
from mig_fleet.simulator.informer import Informer, latest
from mig_fleet.simulator.kubelet_server import KubeletServer
from mig_fleet.simulator.node.config_maps import ConfigMaps
from mig_fleet.simulator.node.container import BehaviourOf, Container
from mig_fleet.simulator.node.kubelet import Kubelet
from mig_fleet.simulator.node.node import SimulatedNode
from mig_fleet.simulator.node.node_status import new_node
from mig_fleet.simulator.node.surroundings import Surroundings
from mig_fleet.simulator.tasks import Tasks
from mig_fleet.simulator.telemetry_server import TelemetryServer


class Cluster:
    """The fleet's nodes on a running control plane; ``behaviour_of`` selects what a pod's container does."""

    def __init__(self, directory: Path, fleet_file: FleetFile, api: Api, behaviour_of: BehaviourOf) -> None:
        self.fleet_file, self.api = fleet_file, api
        self.nodes, self.pods = Informer(api, "/api/v1/nodes"), Informer(api, "/api/v1/pods")
        self.nodes.listeners.append(self._node_changed)
        self.pods.listeners.append(self._pod_changed)
        self.kubelets: dict[str, Kubelet] = {}
        self._behaviour_of = behaviour_of
        self._tasks = Tasks()
        self._surroundings = Surroundings(
            directory, fleet_file, api, self.nodes, ConfigMaps(api), spawn=self._tasks.spawn
        )
        self._numbers = itertools.count()
        self._server = KubeletServer(directory, self._running)
        self.telemetry = TelemetryServer(self.kubelets, self.nodes, self.pods)

    async def run(self, ready: Callable[[], None]) -> None:
        """Register the nodes, call ``ready``, and run until cancelled; then all background tasks have ended."""
        try:
            async with self._server, self.telemetry:
                await asyncio.gather(*(self._register(spec) for spec in self.fleet_file.nodes))
                # Pods last: they need the nodes and the ConfigMaps.
                for informer in (self.nodes, self._surroundings.config_maps, self.pods):
                    self._tasks.spawn(informer.run())
                    await informer.synced.wait()
                for kubelet in self.kubelets.values():
                    kubelet.start()
                if self.fleet_file.allocation == "dra":
                    await dra_driver.install(self.api)
                ready()
                await asyncio.Event().wait()
        finally:
            await self._tasks.cancel()

    def change_to(self, file: FleetFile) -> None:
        """Add and remove nodes in the background until the fleet has the nodes of ``file``."""
        desired = {spec.name: spec for spec in file.nodes}
        for name in self.kubelets.keys() - desired.keys():
            self._tasks.spawn(self._remove(name))
        for name in desired.keys() - self.kubelets.keys():
            self._tasks.spawn(self._add(desired[name]))

    async def _register(self, spec: NodeSpec) -> Kubelet:
        node = SimulatedNode(spec, self._surroundings, next(self._numbers))
        node.install_driver()
        kubelet = self.kubelets[spec.name] = Kubelet(node, self._behaviour_of)
        body = new_node(spec, self._server.port, node.boot_id)
        try:
            await self.api.create("/api/v1/nodes", body)
        except ApiError as exc:
            if exc.status != 409:
                raise
            # A kubelet that restarts finds its Node with the labels of other components, and does not change them.
            renewed = {key: body["status"][key] for key in ("daemonEndpoints", "declaredFeatures")}
            known = await self.api.patch(f"/api/v1/nodes/{spec.name}/status", {"status": renewed})
            node.boot_id = known["status"]["nodeInfo"]["bootID"]
        return kubelet

    async def _add(self, spec: NodeSpec) -> None:
        kubelet = await self._register(spec)
        kubelet.start()

    async def _remove(self, name: str) -> None:
        """Switch the machine off for good and delete its Node and pods, as a cloud's controllers do."""
        kubelet = self.kubelets.pop(name)
        await kubelet.stop()
        await self.api.delete(f"/api/v1/nodes/{name}")
        for pod in kubelet.pods:
            with contextlib.suppress(ApiError):
                await self.api.delete(pod.path, {"gracePeriodSeconds": 0})
        shutil.rmtree(kubelet.node.directory, ignore_errors=True)

    def _running(self, namespace: str, name: str) -> Container | None:
        """The running container of a pod."""
        pod = self.pods.objects.get(f"{namespace}/{name}")
        kubelet = pod and self.kubelets.get(pod["spec"].get("nodeName", ""))
        return kubelet.running(pod["metadata"]["uid"]) if pod and kubelet else None

    def _node_changed(self, before: Json | None, after: Json | None) -> None:
        kubelet = self.kubelets.get(latest(before, after)["metadata"]["name"])
        if kubelet is not None and after is not None:
            kubelet.node_changed(before, after)

    def _pod_changed(self, before: Json | None, after: Json | None) -> None:
        pod = latest(before, after)
        kubelet = self.kubelets.get(pod["spec"].get("nodeName", ""))
        if kubelet is not None:
            kubelet.pod_changed(after, pod["metadata"]["uid"])
