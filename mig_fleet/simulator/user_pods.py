"""Pods of a fleet's users, as tests and demos need them: on GPUs, of a Deployment or naked, protected, stubborn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from mig_fleet.simulator.api import Json
from mig_fleet.simulator.errors import ApiError
from mig_fleet.simulator.node.pod import NEVER_STOPS, STOPS_AFTER
from mig_fleet.simulator.patience import until

Owner = Literal["Deployment", "DaemonSet"]

NAME: Final = "app.kubernetes.io/name"
FINALIZER: Final = "simulator.mig-fleet.dev/held"
AT_ONCE: Final = {"gracePeriodSeconds": 0, "propagationPolicy": "Background"}
KINDS: Final = {
    "poddisruptionbudgets": "/apis/policy/v1",
    "deployments": "/apis/apps/v1",
    "daemonsets": "/apis/apps/v1",
    "replicasets": "/apis/apps/v1",
}


@dataclass(frozen=True, slots=True)
class UserPods:
    """``call`` asks the API server with an administrator's rights: :meth:`mig_fleet.simulator.fleet.Fleet.call`."""

    call: Callable[..., Json]

    def run(
        self,
        node: str | None,
        requests: Mapping[str, int],
        *,
        name: str = "training",
        namespace: str = "default",
        owner: Owner | None = None,
        labels: Mapping[str, str] | None = None,
        stops_after_s: float | None = None,
        never_stops: bool = False,
        held: bool = False,
        wait: bool = True,
    ) -> str:
        """A pod that asks for resources (``nvidia.com/mig-1g.10gb``: 1); returns its name once it runs.

        The scheduler binds it, to ``node`` alone where one is given. ``stops_after_s``: it takes that long to leave, at
        most its grace period of 30 s; ``never_stops``: its kubelet never confirms that it has left; ``held``: a
        finalizer keeps its object. With ``wait`` false it need not run, as one that finds no room, and the name is
        that of its owner where it has one. Raises :class:`NotStarted` after a minute.
        """
        self._namespace(namespace)
        annotations = {} if stops_after_s is None else {STOPS_AFTER: f"{stops_after_s:g}"}
        annotations |= {NEVER_STOPS: "true"} if never_stops else {}
        metadata: Json = {"labels": {NAME: name, **(labels or {})}, "annotations": annotations}
        metadata |= {"finalizers": [FINALIZER]} if held else {}
        container = {"name": "main", "image": "simulated", "resources": {"limits": dict(requests)}}
        spec: Json = {"containers": [container]}
        if node is not None:
            spec["nodeSelector"] = {"kubernetes.io/hostname": node}
        template: Json = {"metadata": metadata, "spec": spec}
        if owner is None:
            template["metadata"]["name"] = name
            self.call("create", f"/api/v1/namespaces/{namespace}/pods", template)
        else:
            body = {
                "metadata": {"name": name},
                "spec": {"selector": {"matchLabels": {NAME: name}}, "template": template},
            }
            self.call("create", f"/apis/apps/v1/namespaces/{namespace}/{owner.lower()}s", body)
        return until(lambda: self._running(namespace, name), f"pod {name} runs") if wait else name

    def protect(
        self, labels: Mapping[str, str], *, min_available: int = 1, name: str = "guard", namespace: str = "default"
    ) -> None:
        """A PodDisruptionBudget; returns when the Eviction API goes by it."""
        self._namespace(namespace)
        path = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets"
        spec = {"minAvailable": min_available, "selector": {"matchLabels": dict(labels)}}
        self.call("create", path, {"metadata": {"name": name}, "spec": spec})
        until(lambda: self._is_observed(f"{path}/{name}"), f"the controller knows budget {name}")

    def named(self, name: str, namespace: str = "default") -> list[Json]:
        """The pods of one :meth:`run`, replacements by its owner included."""
        path = f"/api/v1/namespaces/{namespace}/pods"
        found: list[Json] = self.call("get", path, labelSelector=f"{NAME}={name}")["items"]
        return found

    def clear(self, namespace: str = "default") -> None:
        """Take away budgets, owners and pods of a namespace without grace; returns when no pod is left."""
        for kind, group in KINDS.items():
            self.call("delete", f"{group}/namespaces/{namespace}/{kind}", AT_ONCE)
        until(lambda: not self._cleared(namespace), f"namespace {namespace} has no pods")

    def _cleared(self, namespace: str) -> list[Json]:
        """What was still there before this attempt."""
        path = f"/api/v1/namespaces/{namespace}/pods"
        left: list[Json] = self.call("get", path)["items"]
        for pod in left:
            if pod["metadata"].get("finalizers"):
                self._ignoring(404, "patch", f"{path}/{pod['metadata']['name']}", {"metadata": {"finalizers": None}})
        if left:
            self.call("delete", path, AT_ONCE)
        return left

    def _running(self, namespace: str, name: str) -> str:
        names = [pod["metadata"]["name"] for pod in self.named(name, namespace) if pod["status"]["phase"] == "Running"]
        return str(names[0]) if names else ""

    def _is_observed(self, path: str) -> bool:
        found = self.call("get", path)
        return bool(found.get("status", {}).get("observedGeneration") == found["metadata"]["generation"])

    def _namespace(self, name: str) -> None:
        body = {"metadata": {"name": name}}
        self._ignoring(409, "create", "/api/v1/namespaces", body)
        account = {"metadata": {"name": "default"}}
        # Admission refuses pods before their namespace has it, and the controller is not always that quick.
        self._ignoring(409, "create", f"/api/v1/namespaces/{name}/serviceaccounts", account)

    def _ignoring(self, status: int, method: str, path: str, body: Json) -> None:
        try:
            self.call(method, path, body)
        except ApiError as exc:
            if exc.status != status:
                raise
