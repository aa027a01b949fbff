"""The status that a kubelet writes to a pod in each phase, as bodies of merge patches."""

from typing import Any

from mig_fleet.simulator.api import Json
from mig_fleet.simulator.node.condition import condition, now
from mig_fleet.simulator.node.pod import NEVER_READY, Pod


def pending(pod: Pod, reason: str, message: str) -> Json:
    """Bound to the node; its container is not created yet."""
    return _pod(pod, "Pending", _state("waiting", reason=reason, message=message), started=False)


def running(pod: Pod, ip: str, restarts: int, last: Json | None = None) -> Json:
    """``last`` is the exit of the run before, as :func:`ended` returns it."""
    ready = pod.annotations.get(NEVER_READY) != "true"
    return _pod(pod, "Running", _state("running", startedAt=now()), ready=ready, ip=ip, restarts=restarts, last=last)


def ended(code: int, message: str) -> Json:
    """The exit of a run, as ``lastState`` has it."""
    return _state("terminated", exitCode=code, reason="Error", message=message, startedAt=now(), finishedAt=now())


def crashed(pod: Pod, ip: str, restarts: int, last: Json) -> Json:
    """Waiting for its next start."""
    state = _state("waiting", reason="CrashLoopBackOff", message="back-off restarting failed container")
    return _pod(pod, "Running", state, started=False, ip=ip, restarts=restarts, last=last)


def finished(pod: Pod, ip: str, code: int, message: str = "") -> Json:
    reason = "Completed" if code == 0 else "Error"
    state = _state("terminated", exitCode=code, reason=reason, message=message, startedAt=now(), finishedAt=now())
    return _pod(pod, "Succeeded" if code == 0 else "Failed", state, started=False, ip=ip)


def rejected(reason: str, message: str) -> Json:
    """Failed before its container started, for example after a failed device allocation."""
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
        done = _state("terminated", exitCode=0, reason="Completed", startedAt=now(), finishedAt=now())
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
    return [condition(kind, truth) for kind, truth in truths.items()]


def _state(kind: str, **fields: Any) -> Json:
    return {kind: fields}


def _started(pod: Pod) -> str:
    return str(pod.json.get("status", {}).get("startTime") or now())
