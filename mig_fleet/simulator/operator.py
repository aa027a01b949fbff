"""The GPU Operator itself, for as long as its pod runs: it labels GPU nodes and keeps what it takes for its own.

Behaviour of gpu-operator v26.7.0 (controllers/state_manager.go, controllers/nodelabeling_controller.go). That it also
creates its DaemonSets is left to the chart here.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from mig_fleet.model import labels
from mig_fleet.simulator.api import Informer, Json
from mig_fleet.simulator.errors import ApiError
from mig_fleet.simulator.node.context import Context

PRESENT: Final = "nvidia.com/gpu.present"
NFD_LABELS: Final = tuple(
    f"feature.node.kubernetes.io/pci-{device}.present" for device in ("10de", "0302_10de", "0300_10de")
)
DEPLOYED: Final = (
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
LAYOUTS: Final = """\
version: v1
mig-configs:
  all-disabled:
    - {devices: all, mig-enabled: false}
  all-enabled:
    - {devices: all, mig-enabled: true, mig-devices: {}}
"""
"""Of the file that the operator carries, the two configs that hold for every GPU."""


async def run(context: Context) -> int:
    """Until the operator's pod goes."""
    await Operator(context).run()
    return 0


class Operator:
    """Looks at whatever changes: nodes, the ClusterPolicy, and the one ConfigMap that is its own."""

    def __init__(self, context: Context) -> None:
        self.context, self.cluster = context, context.node.cluster
        self.policies = Informer(self.cluster.api, POLICIES, lambda _before, _after: self._look_at_all())
        self._layouts = f"{context.pod.namespace}/{labels.OPERATOR_OWNED_CONFIG_MAP}"
        self._waiting: dict[str, None] = {}
        self._stirred = asyncio.Event()

    async def run(self) -> None:
        """Never returns."""
        watch = self.cluster.spawn(self.policies.run())
        own = self.cluster.config_maps.listeners[self._layouts]
        own.add(self._stirred.set)
        try:
            with self.cluster.listening_to_nodes(self._look_at):
                while True:
                    await self._stirred.wait()
                    self._stirred.clear()
                    policy = next(iter(self.policies.objects.values()), None)
                    if policy is not None and not await self._reconcile(policy):
                        await asyncio.sleep(RETRY_S)
                        self._stirred.set()
        finally:
            own.discard(self._stirred.set)
            watch.cancel()

    async def _reconcile(self, policy: Json) -> bool:
        """Whether everything that waits could be done."""
        names = list(self._waiting)
        self._waiting.clear()
        try:
            await self._keep_status(policy)
            await self._keep_layouts(policy)
            while names:
                await self._label(names[-1], policy)
                names.pop()
        except ApiError as exc:
            self.context.say(str(exc))
            self._waiting |= dict.fromkeys(names)
            return False
        return True

    async def _label(self, name: str, policy: Json) -> None:
        member = self.cluster.member(name)
        patch = wanted_labels(member.labels, policy) if member else {}
        if member is not None and patch:
            await member.patch_labels(patch)

    async def _keep_status(self, policy: Json) -> None:
        """The ClusterPolicy is told that everything is ready."""
        if policy.get("status", {}).get("state") == "ready":
            return
        name = policy["metadata"]["name"]
        self.context.say(f"reconciling ClusterPolicy {name}")
        status = {"state": "ready", "namespace": self.context.pod.namespace}
        await self.cluster.api.patch(f"{POLICIES}/{name}/status", {"status": status})

    async def _keep_layouts(self, policy: Json) -> None:
        """A ConfigMap of the operator's own name is its own, whoever wrote it (controllers/object_controls.go)."""
        chosen = policy.get("spec", {}).get("migManager", {}).get("config", {}).get("name")
        if chosen not in (None, "", labels.OPERATOR_OWNED_CONFIG_MAP):
            return
        data = {labels.LAYOUTS_KEY: LAYOUTS}
        found = self.cluster.config_maps.objects.get(self._layouts)
        collection = f"/api/v1/namespaces/{self.context.pod.namespace}/configmaps"
        metadata = {"name": labels.OPERATOR_OWNED_CONFIG_MAP}
        if found is None:
            await self.cluster.api.create(collection, {"metadata": metadata, "data": data})
        elif found.get("data") != data:
            self.context.say(f"ConfigMap {self._layouts} was changed; writing it anew")
            gone = dict.fromkeys(found.get("data") or {})
            await self.cluster.api.patch(f"{collection}/{metadata['name']}", {"data": {**gone, **data}})

    def _look_at(self, name: str) -> None:
        self._waiting[name] = None
        self._stirred.set()

    def _look_at_all(self) -> None:
        self._waiting |= dict.fromkeys(self.cluster.kubelets)
        self._stirred.set()


def wanted_labels(current: Mapping[str, str], policy: Json) -> dict[str, str]:
    """What the node labeller adds to a node; it takes nothing away and overwrites nothing but an empty value."""
    if not any(current.get(label) == "true" for label in NFD_LABELS):
        return {}
    wanted = {PRESENT: "true", **{labels.DEPLOY_PREFIX + name: "true" for name in DEPLOYED}}
    if current.get(labels.CAPABLE) == "true":
        wanted[MIG_MANAGER] = "true"
        manager = policy.get("spec", {}).get("migManager", {})
        # Any other default is ignored upstream too.
        if manager.get("config", {}).get("default") == labels.ALL_DISABLED:
            wanted[labels.CONFIG] = labels.ALL_DISABLED
    return {name: value for name, value in wanted.items() if not current.get(name)}
