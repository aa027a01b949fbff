"""The commands of Node Feature Discovery: the worker on a simulated node, and the master of its cluster.

Both get the address of the API server with an administrator's rights. The worker reads the node's PCI devices, kernel
and operating system in the node's namespace, as its container would by mounts of the host.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mig_fleet.simulator.genuine.namespace import command_inside

WORKER: Final = "nfd-worker"
MASTER: Final = "nfd-master"
NAMESPACE: Final = "gpu-operator"


def worker(folder: Path, program: Path, node: str, kubeconfig: Path, config: Mapping[str, Any]) -> list[str]:
    """Discovers once, writes the NodeFeature of the node, and ends. ``folder`` has the node's files
    (:mod:`~mig_fleet.simulator.genuine.node_files`); ``config`` is what the chart has as ``worker.config``.

    The NodeFeature has no owner, because no pod runs the worker.
    """
    options = {"oneshot": "true", "owner-refs": "", **_common(kubeconfig, config)}
    return command_inside(folder, [str(program), *_flags(options)], _environment(node))


def master(program: Path, node: str, kubeconfig: Path, config: Mapping[str, Any]) -> tuple[list[str], dict[str, str]]:
    """Command and environment: labels all nodes until it is killed. ``node`` is the one on which it runs."""
    return [str(program), *_flags({"port": "0", **_common(kubeconfig, config)})], _environment(node)


def _common(kubeconfig: Path, config: Mapping[str, Any]) -> dict[str, str]:
    return {"kubeconfig": str(kubeconfig), "config": "", "options": json.dumps(config)}


def _flags(options: Mapping[str, str]) -> list[str]:
    return [f"-{name}={value}" for name, value in options.items()]


def _environment(node: str) -> dict[str, str]:
    return {"NODE_NAME": node, "KUBERNETES_NAMESPACE": NAMESPACE, "PATH": "/nonexistent"}
