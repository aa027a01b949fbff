"""The GPU Operator itself, for as long as its pod runs: it labels GPU nodes and keeps the ClusterPolicy's status.

Behaviour of gpu-operator v26.7.0 (controllers/state_manager.go, controllers/nodelabeling_controller.go). That it also
creates its DaemonSets is left to the chart here.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from mig import labels
from simulator.api import Json
from simulator.errors import ApiError
from simulator.node.context import Context

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


async def run(context: Context) -> int:
    """Until the operator's pod goes; every change of a node is looked at."""
    cluster = context.node.cluster
    waiting: dict[str, None] = dict.fromkeys(cluster.kubelets)
    stirred = asyncio.Event()
    stirred.set()

    def on_change(name: str) -> None:
        waiting[name] = None
        stirred.set()

    policy = await _policy(context)
    context.say(f"reconciling ClusterPolicy {policy['metadata']['name']}")
    with cluster.listening_to_nodes(on_change):
        while True:
            await stirred.wait()
            stirred.clear()
            names, failed = list(waiting), False
            waiting.clear()
            for name in names:
                member = cluster.member(name)
                patch = wanted_labels(member.labels, policy) if member else {}
                if member is None or not patch:
                    continue
                try:
                    await member.patch_labels(patch)
                except ApiError as exc:
                    context.say(f"labelling {name}: {exc}")
                    waiting[name], failed = None, True
            if failed:
                await asyncio.sleep(RETRY_S)
                stirred.set()


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


async def _policy(context: Context) -> Json:
    """The first ClusterPolicy, as soon as there is one; it is told that everything is ready."""
    api = context.node.cluster.api
    while True:
        try:
            found = (await api.get(POLICIES))["items"]
            if found:
                policy: Json = found[0]
                status = {"state": "ready", "namespace": context.pod.namespace}
                await api.patch(f"{POLICIES}/{policy['metadata']['name']}/status", {"status": status})
                return policy
        except ApiError as exc:
            context.say(str(exc))
        await asyncio.sleep(RETRY_S)
