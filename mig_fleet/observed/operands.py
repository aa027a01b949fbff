"""NVIDIA's pods: the value of their label ``app`` and how to find them (gpu-operator v26.7.0)."""

import shlex
from collections.abc import Iterable
from typing import Final

from mig_fleet.cluster.connection import Json

MIG_MANAGER: Final = "nvidia-mig-manager"
DEVICE_PLUGIN: Final = "nvidia-device-plugin-daemonset"
FEATURE_DISCOVERY: Final = "gpu-feature-discovery"

CLUSTER_POLICIES: Final = ("nvidia.com/v1", "clusterpolicies")
"""API version and plural of the operator's own configuration."""


def operand_pods(pods: Iterable[Json], namespace: str, app: str) -> dict[str, Json]:
    """Node → its pod of an operand; pods that are being deleted are left out."""
    return {
        pod["spec"]["nodeName"]: pod
        for pod in pods
        if pod["metadata"]["namespace"] == namespace
        and (pod["metadata"].get("labels") or {}).get("app") == app
        and pod["spec"].get("nodeName")
        and "deletionTimestamp" not in pod["metadata"]
    }


def pod_uids(pods: Iterable[Json], namespace: str, app: str) -> dict[str, str]:
    """Name → uid of an operand's pods, those being deleted included."""
    return {
        pod["metadata"]["name"]: pod["metadata"]["uid"]
        for pod in pods
        if pod["metadata"]["namespace"] == namespace and (pod["metadata"].get("labels") or {}).get("app") == app
    }


def log_command(namespace: str, app: str) -> str:
    return f"kubectl -n {shlex.quote(namespace)} logs -l app={app}"
