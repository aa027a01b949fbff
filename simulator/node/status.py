"""The status a kubelet writes, of a node at birth and of a pod at each turn of its life, as merge-patch bodies."""

import datetime
from typing import Any, Final

from simulator.api import Json
from simulator.fleet_file import NodeSpec
from simulator.node.feature_discovery import node_features
from simulator.node.pod import NEVER_READY, Pod

KUBELET_VERSION: Final = "v1.37.2"
STREAMS_OVER_WEBSOCKETS: Final = "ExtendWebSocketsToKubelet"
"""The API server passes `kubectl exec` on as it comes to nodes that declare this, and translates it to SPDY for all
others (kubernetes 1.37, pkg/registry/core/pod/rest/subresources.go)."""


def node(spec: NodeSpec, port: int) -> Json:
    """A Node as its kubelet registers it, Ready and with nothing of NVIDIA's on it yet."""
    memory = f"{spec.memory_gib * 1024 * 1024}Ki"
    room = {"cpu": str(spec.cpu), "memory": memory, "ephemeral-storage": "6500Gi", "pods": "110"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": spec.name, "labels": node_features(spec)},
        "status": {
            "capacity": room,
            "allocatable": room,
            "conditions": _node_conditions(),
            "addresses": [
                {"type": "InternalIP", "address": "127.0.0.1"},
                {"type": "Hostname", "address": spec.name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "declaredFeatures": [STREAMS_OVER_WEBSOCKETS],
            "nodeInfo": {
                "kubeletVersion": KUBELET_VERSION,
                "containerRuntimeVersion": "containerd://2.1.4",
                "osImage": "Ubuntu 24.04.3 LTS",
                "kernelVersion": "6.8.0-85-generic",
                "operatingSystem": "linux",
                "architecture": "amd64",
                "machineID": "",
                "systemUUID": "",
                "bootID": "",
                "kubeProxyVersion": "",
            },
        },
    }


def node_resources(current: Json, offered: dict[str, int]) -> Json | None:
    """The patch after which exactly ``offered`` is allocatable; ``None`` when it is so already.

    What vanished stays at "0", as kubelets keep it.
    """
    before = {name: value for name, value in current.items() if name.startswith("nvidia.com/")}
    after = {**dict.fromkeys(before, "0"), **{name: str(count) for name, count in offered.items()}}
    return None if before == after else {"status": {"capacity": after, "allocatable": after}}


def pending(pod: Pod, reason: str, message: str) -> Json:
    """Bound to the node, its container not there yet."""
    return _pod(pod, "Pending", _state("waiting", reason=reason, message=message), started=False)


def running(pod: Pod, ip: str, restarts: int) -> Json:
    ready = pod.annotations.get(NEVER_READY) != "true"
    return _pod(pod, "Running", _state("running", startedAt=_now()), ready=ready, ip=ip, restarts=restarts)


def crashed(pod: Pod, ip: str, restarts: int, code: int, message: str) -> Json:
    """Waiting for its next start, with the last end on record."""
    last = _state("terminated", exitCode=code, reason="Error", message=message, startedAt=_now(), finishedAt=_now())
    state = _state("waiting", reason="CrashLoopBackOff", message="back-off restarting failed container")
    return _pod(pod, "Running", state, started=False, ip=ip, restarts=restarts, last=last)


def finished(pod: Pod, ip: str, code: int, message: str = "") -> Json:
    reason = "Completed" if code == 0 else "Error"
    state = _state("terminated", exitCode=code, reason=reason, message=message, startedAt=_now(), finishedAt=_now())
    return _pod(pod, "Succeeded" if code == 0 else "Failed", state, started=False, ip=ip)


def rejected(reason: str, message: str) -> Json:
    """Failed before it began, as after a failed device allocation."""
    return {"status": {"phase": "Failed", "reason": reason, "message": message}}


def _pod(
    pod: Pod,
    phase: str,
    state: Json,
    *,
    started: bool = True,
    ready: bool | None = None,
    ip: str | None = None,
    restarts: int = 0,
    last: Json | None = None,
) -> Json:
    is_ready = started if ready is None else ready
    status: Json = {
        "phase": phase,
        "conditions": _pod_conditions(phase, is_ready),
        "containerStatuses": [
            _container(container, state, started, is_ready, restarts, last) for container in pod.spec["containers"]
        ],
    }
    if pod.spec.get("initContainers") and phase != "Pending":
        done = _state("terminated", exitCode=0, reason="Completed", startedAt=_now(), finishedAt=_now())
        status["initContainerStatuses"] = [
            _container(container, done, True, True, 0, None) for container in pod.spec["initContainers"]
        ]
    if ip is not None:
        status |= {"podIP": ip, "podIPs": [{"ip": ip}], "hostIP": "127.0.0.1", "startTime": _started(pod)}
    return {"status": status}


def _container(container: Json, state: Json, started: bool, ready: bool, restarts: int, last: Json | None) -> Json:
    image = container.get("image", "")
    return {
        "name": container["name"],
        "image": image,
        "imageID": image,
        "ready": ready,
        "started": started,
        "restartCount": restarts,
        "state": state,
        "lastState": last or {},
    }


def _pod_conditions(phase: str, ready: bool) -> list[Json]:
    over = phase in ("Succeeded", "Failed")
    truths = {
        "PodScheduled": True,
        "Initialized": True,
        "ContainersReady": ready and not over,
        "Ready": ready and not over,
    }
    return [_condition(kind, truth) for kind, truth in truths.items()]


def _node_conditions() -> list[Json]:
    bad = ("MemoryPressure", "DiskPressure", "PIDPressure")
    conditions = [_condition("Ready", True, reason="KubeletReady", message="kubelet is posting ready status")]
    return conditions + [_condition(kind, False, reason="KubeletHasNo" + kind) for kind in bad]


def _condition(kind: str, truth: bool, **more: str) -> Json:
    return {"type": kind, "status": str(truth), "lastTransitionTime": _now(), **more}


def _state(kind: str, **fields: Any) -> Json:
    return {kind: fields}


def _started(pod: Pod) -> str:
    return str(pod.json.get("status", {}).get("startTime") or _now())


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
