"""Pods of a fleet's users, for tests and demos: with GPU resources, with or without an owner, slow to terminate."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from mig_fleet.model.dra import DRIVER
from mig_fleet.simulator.api import Json
from mig_fleet.simulator.errors import ApiError
from mig_fleet.simulator.node.pod import NEVER_STOPS, STOPS_AFTER
from mig_fleet.simulator.polling import wait_until

Owner = Literal["Deployment", "DaemonSet"]

NAME: Final = "app.kubernetes.io/name"
WHOLE_GPU: Final = "gpu"
"""In the place of a profile: a GPU without MIG."""
FINALIZER: Final = "simulator.mig-fleet.dev/held"
WITHOUT_GRACE: Final = {"gracePeriodSeconds": 0, "propagationPolicy": "Background"}
COLLECTIONS: Final = {
    "poddisruptionbudgets": "/apis/policy/v1",
    "resourceclaimtemplates": "/apis/resource.k8s.io/v1",
    "deployments": "/apis/apps/v1",
    "daemonsets": "/apis/apps/v1",
    "replicasets": "/apis/apps/v1",
}


@dataclass(frozen=True, slots=True)
class UserPods:
    """``call`` sends a request with an administrator's rights: :meth:`mig_fleet.simulator.fleet.Fleet.call`."""

    call: Callable[..., Json]

    def run(
        self,
        node: str | None,
        requests: Mapping[str, int],
        *,
        claims: Mapping[str, int] | None = None,
        device_class: str = "",
        name: str = "training",
        namespace: str = "default",
        owner: Owner | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        stops_after_s: float | None = None,
        never_stops: bool = False,
        finalizer: bool = False,
        wait: bool = True,
    ) -> str:
        """Create a pod that requests resources (``nvidia.com/mig-1g.10gb``: 1); returns its name when it runs.

        ``claims`` are profiles (``1g.10gb``: 1) that it has by a ResourceClaim instead, of ``device_class``; without a
        class, of NVIDIA's class for MIG devices, selected by their attribute. ``gpu`` is a whole GPU.

        The scheduler binds it; with ``node``, only to that node. ``stops_after_s``: seconds that it takes to terminate,
        at most its grace period of 30 s. ``never_stops``: its kubelet never confirms the deletion. ``finalizer``: a
        finalizer keeps its object. With ``wait`` false, return at once, for a pod that cannot be scheduled; the name is
        then that of its owner, if it has one. Raises :class:`NotStarted` after one minute.
        """
        self._create_namespace(namespace)
        own = {} if stops_after_s is None else {STOPS_AFTER: f"{stops_after_s:g}"}
        own |= {NEVER_STOPS: "true"} if never_stops else {}
        metadata: Json = {"labels": {NAME: name, **(labels or {})}, "annotations": {**own, **(annotations or {})}}
        metadata |= {"finalizers": [FINALIZER]} if finalizer else {}
        container: Json = {"name": "main", "image": "simulated", "resources": {"limits": dict(requests)}}
        spec: Json = {"containers": [container]}
        if claims:
            spec["resourceClaims"] = [{"name": "devices", "resourceClaimTemplateName": name}]
            container["resources"]["claims"] = [{"name": "devices"}]
            path = f"/apis/resource.k8s.io/v1/namespaces/{namespace}/resourceclaimtemplates"
            self._call_ignoring(409, "create", path, claim_template(name, claims, device_class))
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
        return wait_until(lambda: self._running(namespace, name), f"pod {name} runs") if wait else name

    def protect(self, labels: Mapping[str, str]) -> None:
        """Create a PodDisruptionBudget that keeps one pod in namespace ``default``; returns when the Eviction API
        enforces it.
        """
        self._create_namespace("default")
        path, name = "/apis/policy/v1/namespaces/default/poddisruptionbudgets", "guard"
        spec = {"minAvailable": 1, "selector": {"matchLabels": dict(labels)}}
        self.call("create", path, {"metadata": {"name": name}, "spec": spec})
        wait_until(lambda: self._is_observed(f"{path}/{name}"), f"the controller has observed budget {name}")

    def pods_of(self, name: str, namespace: str = "default") -> list[Json]:
        """The pods of one :meth:`run`, including replacements by their owner."""
        path = f"/api/v1/namespaces/{namespace}/pods"
        found: list[Json] = self.call("get", path, labelSelector=f"{NAME}={name}")["items"]
        return found

    def clear(self, namespace: str = "default") -> None:
        """Delete budgets, owners and pods of a namespace without a grace period; returns when no pod remains."""
        for kind, group in COLLECTIONS.items():
            self.call("delete", f"{group}/namespaces/{namespace}/{kind}", WITHOUT_GRACE)
        wait_until(lambda: not self._delete_pods(namespace), f"namespace {namespace} has no pods")

    def _delete_pods(self, namespace: str) -> int:
        """Delete the pods of a namespace; returns how many there were."""
        path = f"/api/v1/namespaces/{namespace}/pods"
        pods = self.call("get", path)["items"]
        for pod in pods:
            if pod["metadata"].get("finalizers"):
                pod_path = f"{path}/{pod['metadata']['name']}"
                self._call_ignoring(404, "patch", pod_path, {"metadata": {"finalizers": None}})
        if pods:
            self.call("delete", path, WITHOUT_GRACE)
        return len(pods)

    def _running(self, namespace: str, name: str) -> str:
        names = [
            pod["metadata"]["name"] for pod in self.pods_of(name, namespace) if pod["status"]["phase"] == "Running"
        ]
        return str(names[0]) if names else ""

    def _is_observed(self, path: str) -> bool:
        found = self.call("get", path)
        return bool(found.get("status", {}).get("observedGeneration") == found["metadata"]["generation"])

    def _create_namespace(self, name: str) -> None:
        body = {"metadata": {"name": name}}
        self._call_ignoring(409, "create", "/api/v1/namespaces", body)
        account = {"metadata": {"name": "default"}}
        # Admission refuses pods in a namespace without this account, and the controller may create it late.
        self._call_ignoring(409, "create", f"/api/v1/namespaces/{name}/serviceaccounts", account)

    def _call_ignoring(self, status: int, method: str, path: str, body: Json) -> None:
        try:
            self.call(method, path, body)
        except ApiError as exc:
            if exc.status != status:
                raise


def claim_template(name: str, claims: Mapping[str, int], device_class: str = "") -> Json:
    """A ResourceClaimTemplate with a request for each profile."""

    def request(number: int, profile: str, count: int) -> Json:
        exactly: Json = {"deviceClassName": device_class or "mig.nvidia.com", "count": count}
        if profile == WHOLE_GPU:
            exactly["deviceClassName"] = DRIVER
        elif not device_class:
            expression = f"device.attributes['{DRIVER}'].profile == '{profile}'"
            exactly["selectors"] = [{"cel": {"expression": expression}}]
        return {"name": f"device-{number}", "exactly": exactly}

    requests = [request(number, *each) for number, each in enumerate(claims.items())]
    return {"metadata": {"name": name}, "spec": {"spec": {"devices": {"requests": requests}}}}
