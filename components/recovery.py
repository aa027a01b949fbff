"""The one remedy for a node that MIG Manager left wrong: let it start over with the config that the label names.

MIG Manager reacts to a changed label *value* and to its own start, and never retries `failed` (mig-parted
cmd/nvidia-mig-manager/main.go; gpu-operator #2874). Restarting its pod on the node re-applies the label's config
without passing through another one.
"""

from components.cluster import Cluster, Json
from components.look import Node
from mig import labels

MANAGER_SELECTOR = ("app", "nvidia-mig-manager")


def apply_again(cluster: Cluster, namespace: str, node: Node) -> str | None:
    """Start MIG Manager over on one node; returns why not, where pods in use or a missing manager forbid it."""
    pods = cluster.pods_on(node.name)
    users = sorted(f"{p['metadata']['namespace']}/{p['metadata']['name']}" for p in pods if _holds_a_gpu(p))
    if users:
        return f"{len(users)} pod(s) hold its GPUs ({', '.join(users[:5])}); move them away, then run the update again"
    key, value = MANAGER_SELECTOR
    managers = [
        p["metadata"]["name"]
        for p in pods
        if p["metadata"]["namespace"] == namespace and (p["metadata"].get("labels") or {}).get(key) == value
    ]
    if not managers:
        return f"no MIG Manager pod runs there; see `kubectl -n {namespace} get daemonset nvidia-mig-manager`"
    cluster.start_attempt(node.name, node.attempt, {})
    for name in managers:
        cluster.delete_pod(namespace, name)
    return None


def _holds_a_gpu(pod: Json) -> bool:
    if pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return False
    containers = [*pod["spec"].get("containers", []), *pod["spec"].get("initContainers", [])]
    requests = [container.get("resources", {}).get("limits") or {} for container in containers]
    return any(name == labels.GPU_RESOURCE or name.startswith(labels.RESOURCE_PREFIX) for r in requests for name in r)
