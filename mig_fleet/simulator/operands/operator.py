"""The GPU Operator while its pod runs: labels GPU nodes and maintains its own ConfigMap and status.

Behaviour of gpu-operator v26.7.0 (controllers/state_manager.go, controllers/nodelabeling_controller.go). The real
operator also creates its DaemonSets; here the chart does.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from mig_fleet.model import labels
from mig_fleet.simulator.api import Json
from mig_fleet.simulator.errors import ApiError
from mig_fleet.simulator.informer import Informer
from mig_fleet.simulator.node.container import Container
from mig_fleet.simulator.operands import service_monitor
from mig_fleet.simulator.operands.stock_layouts import stock_layouts

PRESENT: Final = "nvidia.com/gpu.present"
NFD_LABELS: Final = tuple(
    f"feature.node.kubernetes.io/pci-{device}.present" for device in ("10de", "0302_10de", "0300_10de")
)
DEPLOYED: Final = (
    "client",
    "driver",
    "gpu-feature-discovery",
    "container-toolkit",
    "device-plugin",
    "dcgm",
    "dcgm-exporter",
    "node-status-exporter",
    "operator-validator",
)
MIG_MANAGER: Final = f"{labels.DEPLOY_PREFIX}mig-manager"
POLICIES: Final = "/apis/nvidia.com/v1/clusterpolicies"
RETRY_S: Final = 1.0


async def run(container: Container) -> int:
    """Reconcile until the operator's pod is deleted."""
    await Operator(container).run()
    return 0


class Operator:
    """Reconciles on each change of a Node, of the ClusterPolicy, or of the operator's own ConfigMap."""

    def __init__(self, container: Container) -> None:
        self.container, self.surroundings = container, container.node.surroundings
        self.namespace = container.pod.namespace
        self.policies = Informer(self.surroundings.api, POLICIES)
        self.policies.listeners.append(lambda _before, _after: self._enqueue_all())
        self._own_config_map = f"{self.namespace}/{labels.OPERATOR_OWNED_CONFIG_MAP}"
        self._monitor: Json | None = None
        """The ServiceMonitor that was written last."""
        self._queue: dict[str, None] = {}
        """Names of the nodes to label, without duplicates."""
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Never returns."""
        watch = self.surroundings.spawn(self.policies.run())
        subscribers = self.surroundings.config_maps.subscribers[self._own_config_map]
        subscribers.add(self._changed.set)
        try:
            with self.surroundings.nodes.listening(self._node_changed):
                while True:
                    await self._changed.wait()
                    self._changed.clear()
                    policy = next(iter(self.policies.objects.values()), None)
                    if policy is not None and not await self._reconcile(policy):
                        await asyncio.sleep(RETRY_S)
                        self._changed.set()
        finally:
            subscribers.discard(self._changed.set)
            watch.cancel()

    async def _reconcile(self, policy: Json) -> bool:
        """Whether every request succeeded; nodes without their labels stay in the queue."""
        names = list(self._queue)
        self._queue.clear()
        try:
            await self._write_status(policy)
            await self._write_layouts(policy)
            await self._write_service_monitor(policy)
            while names:
                await self._label(names[-1], policy)
                names.pop()
        except ApiError as exc:
            self.container.log(str(exc))
            self._queue |= dict.fromkeys(names)
            return False
        return True

    async def _label(self, name: str, policy: Json) -> None:
        node = self.surroundings.nodes.objects.get(name)
        patch = missing_labels(node["metadata"].get("labels") or {}, policy) if node else {}
        if patch:
            await self.surroundings.api.patch(f"/api/v1/nodes/{name}", {"metadata": {"labels": patch}}, "gpu-operator")

    async def _write_status(self, policy: Json) -> None:
        """Report in the ClusterPolicy that everything is ready."""
        if policy.get("status", {}).get("state") == "ready":
            return
        name = policy["metadata"]["name"]
        self.container.log(f"reconciling ClusterPolicy {name}")
        status = {"state": "ready", "namespace": self.namespace}
        await self.surroundings.api.patch(f"{POLICIES}/{name}/status", {"status": status})

    async def _write_layouts(self, policy: Json) -> None:
        """Overwrite the ConfigMap with the operator's name, also one of a user (controllers/object_controls.go)."""
        selected = policy.get("spec", {}).get("migManager", {}).get("config", {}).get("name")
        if selected not in (None, "", labels.OPERATOR_OWNED_CONFIG_MAP):
            return
        data = {labels.LAYOUTS_KEY: stock_layouts()}
        found = self.surroundings.config_maps.objects.get(self._own_config_map)
        collection = f"/api/v1/namespaces/{self.namespace}/configmaps"
        metadata = {"name": labels.OPERATOR_OWNED_CONFIG_MAP}
        if found is None:
            await self.surroundings.api.create(collection, {"metadata": metadata, "data": data})
        elif found.get("data") != data:
            self.container.log(f"ConfigMap {self._own_config_map} was changed; overwriting it")
            removed = dict.fromkeys(found.get("data") or {})
            await self.surroundings.api.patch(f"{collection}/{metadata['name']}", {"data": {**removed, **data}})

    async def _write_service_monitor(self, policy: Json) -> None:
        """Once for each change: an operator with a hundred nodes to label does not ask for it a hundred times."""
        desired = service_monitor.service_monitor(policy, self.namespace)
        if desired != self._monitor:
            await service_monitor.write(self.surroundings.api, self.namespace, desired)
            self._monitor = desired

    def _node_changed(self, _before: Json | None, after: Json | None) -> None:
        if after is not None:
            self._queue[after["metadata"]["name"]] = None
            self._changed.set()

    def _enqueue_all(self) -> None:
        self._queue |= dict.fromkeys(self.surroundings.nodes.objects)
        self._changed.set()


def missing_labels(current: Mapping[str, str], policy: Json) -> dict[str, str]:
    """The labels that the node labeller adds to a node; it removes none and overwrites only empty values."""
    if not any(current.get(label) == "true" for label in NFD_LABELS):
        return {}
    desired = {PRESENT: "true", **{labels.DEPLOY_PREFIX + name: "true" for name in DEPLOYED}}
    if current.get(labels.CAPABLE) == "true":
        desired[MIG_MANAGER] = "true"
        manager = policy.get("spec", {}).get("migManager", {})
        # Upstream ignores any other default too.
        if manager.get("config", {}).get("default") == labels.ALL_DISABLED:
            desired[labels.CONFIG] = labels.ALL_DISABLED
    return {name: value for name, value in desired.items() if not current.get(name)}
