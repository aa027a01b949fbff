"""The ServiceMonitor of dcgm-exporter, which the GPU Operator makes of its ClusterPolicy.

Behaviour of gpu-operator v26.7.0 (controllers/object_controls.go, ServiceMonitor): a cluster that does not serve the
kind is skipped.
"""

from collections.abc import Awaitable
from typing import Final

from mig_fleet.simulator.api import Api, Json
from mig_fleet.simulator.errors import ApiError

NAME: Final = "nvidia-dcgm-exporter"


def service_monitor(policy: Json, namespace: str) -> Json | None:
    """The object that this ClusterPolicy asks for, which is deleted with it; None if it asks for none."""
    exporter = policy.get("spec", {}).get("dcgmExporter", {})
    monitor = exporter.get("serviceMonitor", {})
    if not (exporter.get("enabled") and monitor.get("enabled")):
        return None
    endpoint = {
        "port": "gpu-metrics",
        "path": "/metrics",
        **{key: monitor[key] for key in ("interval", "scrapeTimeout", "honorLabels", "relabelings") if key in monitor},
    }
    owner = {
        "apiVersion": policy["apiVersion"],
        "kind": policy["kind"],
        "name": policy["metadata"]["name"],
        "uid": policy["metadata"]["uid"],
    }
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": {
            "name": NAME,
            "labels": {"app": NAME, **(monitor.get("additionalLabels") or {})},
            "ownerReferences": [owner],
        },
        "spec": {
            "jobLabel": "app",
            "selector": {"matchLabels": {"app": NAME}},
            "namespaceSelector": {"matchNames": [namespace]},
            "endpoints": [endpoint],
        },
    }


async def write(api: Api, namespace: str, monitor: Json | None) -> None:
    """Create, change or delete it. Raises ApiError, except where the cluster does not serve the kind."""
    collection = f"/apis/monitoring.coreos.com/v1/namespaces/{namespace}/servicemonitors"
    if monitor is None:
        await _unless_missing(api.delete(f"{collection}/{NAME}"))
    elif not await _unless_missing(api.patch(f"{collection}/{NAME}", monitor)):
        await _unless_missing(api.create(collection, monitor))


async def _unless_missing(request: Awaitable[Json]) -> bool:
    """Whether the server found what the request names: the object, or the kind for a creation."""
    try:
        await request
    except ApiError as exc:
        if exc.status != 404:
            raise
        return False
    return True
