"""NVIDIA's pods: the value of their label ``app`` and how to find them (gpu-operator v26.7.0)."""

import shlex
from collections.abc import Iterable
from typing import Final

from mig_fleet.cluster.connection import Json

MIG_MANAGER: Final = "nvidia-mig-manager"
DEVICE_PLUGIN: Final = "nvidia-device-plugin-daemonset"
FEATURE_DISCOVERY: Final = "gpu-feature-discovery"
DAEMONS: Final = frozenset(
    {
        MIG_MANAGER,
        DEVICE_PLUGIN,
        FEATURE_DISCOVERY,
        "nvidia-cc-manager",
        "nvidia-container-toolkit-daemonset",
        "nvidia-dcgm",
        "nvidia-dcgm-exporter",
        "nvidia-device-plugin-mps-control-daemon",
        "nvidia-driver-daemonset",
        "nvidia-node-status-exporter",
        "nvidia-operator-validator",
    }
)
"""The operands that a DaemonSet of the operator runs on nodes with MIG."""
WORKLOADS: Final = frozenset({"nvidia-cuda-validator", "nvidia-device-plugin-validator"})
"""Pods that an operator validator creates to test a node. The ClusterPolicy is their owner (gpu-operator v26.7.0,
validator/manifests and cmd/nvidia-validator/main.go); the second one requests a GPU or a slice for a moment."""

DRA_PLUGIN: Final = ("dra-driver-nvidia-gpu-component", "kubelet-plugin")
"""Label of the pods of NVIDIA's DRA driver that publish the devices of their node (dra-driver-nvidia-gpu v0.4.1,
deployments/helm, `selectorLabels`); its chart has a value that replaces the label. The driver has its own namespace."""

CLUSTER_POLICIES: Final = ("nvidia.com/v1", "clusterpolicies")
"""API version and plural of the operator's own configuration."""


def is_operand(pod: Json) -> bool:
    """Whether a pod of the operator's namespace is NVIDIA's: its label ``app`` and the kind of its controller."""
    app = (pod["metadata"].get("labels") or {}).get("app")
    owners = {owner.get("kind") for owner in pod["metadata"].get("ownerReferences") or ()}
    return (app in DAEMONS and "DaemonSet" in owners) or (app in WORKLOADS and "ClusterPolicy" in owners)


def operand_pods(pods: Iterable[Json], namespace: str, app: str) -> dict[str, Json]:
    """Node → its pod of an operand; pods that are being deleted are left out."""
    return _by_node((pod for pod in pods if pod["metadata"]["namespace"] == namespace), ("app", app))


def dra_plugin_pods(pods: Iterable[Json]) -> dict[str, Json]:
    """Node → its pod of NVIDIA's DRA driver, in any namespace; pods that are being deleted are left out."""
    return _by_node(pods, DRA_PLUGIN)


def _by_node(pods: Iterable[Json], label: tuple[str, str]) -> dict[str, Json]:
    key, value = label
    return {
        pod["spec"]["nodeName"]: pod
        for pod in pods
        if (pod["metadata"].get("labels") or {}).get(key) == value
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
