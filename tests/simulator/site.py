"""A running fleet with the operands installed, and what tests do with it. The objects are the chart's, without Helm."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import yaml

from mig_fleet.cluster.client import Cluster
from mig_fleet.model import labels
from mig_fleet.simulator import CHARTS, Fleet
from mig_fleet.simulator.api import Json
from mig_fleet.simulator.behaviours import FEATURES
from mig_fleet.simulator.errors import ApiError

NAMESPACE = "gpu-operator"
LAYOUTS = {
    "all-disabled": [{"devices": "all", "mig-enabled": False}],
    "dense": [{"devices": "all", "mig-enabled": True, "mig-devices": {"1g.10gb": 7}}],
    "halves": [{"devices": "all", "mig-enabled": True, "mig-devices": {"3g.40gb": 2}}],
    "impossible": [{"devices": "all", "mig-enabled": True, "mig-devices": {"3g.40gb": 2, "1g.10gb": 1}}],
}
OPERANDS = {
    "nvidia-device-plugin-daemonset": "device-plugin",
    "gpu-feature-discovery": "gpu-feature-discovery",
    "nvidia-mig-manager": "mig-manager",
    "nvidia-operator-validator": "operator-validator",
}
TIMEOUT_S = 180
"""Seconds. Only what never happens takes so long, even on a busy machine."""
T = TypeVar("T")


@dataclass
class Site:
    """The fleet, with short methods for its most frequent requests."""

    fleet: Fleet

    @cached_property
    def cluster(self) -> Cluster:
        """The API server, for what is read again and again: a request of :meth:`Fleet.call` opens a connection of its
        own, which takes ten times the processor time.
        """
        return Cluster({"kubeconfig": str(self.fleet.kubeconfig)})

    def install(self) -> None:
        """Create namespace, CRD, layouts, operator and operands like a release; returns when all nodes offer GPUs."""
        crd = yaml.safe_load((CHARTS / "gpu-operator" / "crds" / "clusterpolicies.yaml").read_text())
        self.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
        self.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        self.create(f"/api/v1/namespaces/{NAMESPACE}/configmaps", config_map(LAYOUTS))
        policy = {
            "apiVersion": "nvidia.com/v1",
            "kind": "ClusterPolicy",
            "metadata": {"name": "cluster-policy"},
            "spec": {
                **{part: {} for part in required_parts(crd)},
                "migManager": {"config": {"default": "all-disabled"}},
            },
        }
        self.eventually(lambda: self._created("/apis/nvidia.com/v1/clusterpolicies", policy), "the CRD is served")
        self.create(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments", deployment("gpu-operator"))
        self.create(f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets", features_worker())
        for app, deploy in OPERANDS.items():
            self.create(f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets", daemon_set(app, deploy))
        for node in self.fleet.node_names():
            self.wait_for_success(node, labels.ALL_DISABLED)

    def reset(self) -> None:
        """Disable MIG and restore the operands on every node; MIG Manager gets a new pod on a node that differs."""
        for node in self.fleet.node_names():
            with self.fleet.driver_file(node).change() as driver:
                healthy = not any(gpu.mode for gpu in driver.gpus)
            if not healthy or self.state(node) != "success" or self.label(node, labels.CONFIG) != labels.ALL_DISABLED:
                operands = {f"{labels.DEPLOY_PREFIX}{deploy}": "true" for deploy in OPERANDS.values()}
                self.patch_labels(node, operands)
                self.delete_pods(node, "nvidia-mig-manager")
                self.assign(node, labels.ALL_DISABLED)
                self.wait_for_success(node, labels.ALL_DISABLED)

    def assign(self, node: str, config: str) -> None:
        """Write the config label; the same patch removes the state label, as in the product."""
        self.patch_labels(node, {labels.CONFIG: config, labels.STATE: None})

    def wait_for_success(self, node: str, config: str) -> None:
        """Wait until ``config`` is applied and the node offers NVIDIA resources."""
        self.eventually(
            lambda: self.label(node, labels.CONFIG) == config and self.state(node) == "success" and self.offered(node),
            f"{node} has {config} and offers GPUs",
        )

    def node(self, name: str) -> Json:
        return self.cluster.get(f"/api/v1/nodes/{name}")

    def label(self, node: str, label: str) -> str | None:
        found: str | None = self.node(node)["metadata"]["labels"].get(label)
        return found

    def state(self, node: str) -> str | None:
        return self.label(node, labels.STATE)

    def offered(self, node: str) -> dict[str, int]:
        """The allocatable NVIDIA resources that are not zero."""
        allocatable = self.node(node)["status"]["allocatable"]
        return {name: int(n) for name, n in allocatable.items() if name.startswith("nvidia.com/") and n != "0"}

    def patch_labels(self, node: str, changed: Mapping[str, str | None]) -> None:
        self.fleet.call("patch", f"/api/v1/nodes/{node}", {"metadata": {"labels": dict(changed)}})

    def create(self, path: str, body: Json) -> Json:
        return self.fleet.call("create", path, body)

    def pods(self, app: str, node: str | None = None, namespace: str = NAMESPACE) -> list[Json]:
        found = self.cluster.get(f"/api/v1/namespaces/{namespace}/pods", {"labelSelector": f"app={app}"})["items"]
        return [pod for pod in found if node is None or pod["spec"].get("nodeName") == node]

    def phases(self, app: str, namespace: str = "default") -> list[str]:
        return [pod["status"]["phase"] for pod in self.pods(app, namespace=namespace)]

    def delete_pods(self, node: str, app: str) -> None:
        for pod in self.pods(app, node):
            self.cluster.delete_pod(NAMESPACE, pod["metadata"]["name"], pod["metadata"]["uid"])

    def manager_log(self, node: str) -> str:
        folder = self.fleet.directory / "nodes" / node / "logs"
        return "".join(log.read_text() for log in sorted(folder.glob("nvidia-mig-manager-*.log")))

    def eventually(self, condition: Callable[[], T], what: str) -> T:
        """Return the first truthy result of ``condition``; fails after ``TIMEOUT_S`` seconds."""
        deadline = time.monotonic() + TIMEOUT_S
        while not (found := condition()):
            assert time.monotonic() < deadline, f"timeout: {what}"
            time.sleep(0.05)
        return found

    def _created(self, path: str, body: Json) -> bool:
        try:
            self.create(path, body)
        except ApiError as exc:
            assert exc.status == 404, exc
            return False
        return True


def required_parts(crd: Json) -> list[str]:
    """The parts that the spec of a ClusterPolicy must have."""
    (version,) = crd["spec"]["versions"]
    parts: list[str] = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["required"]
    return parts


def config_map(layouts: dict[str, Any], name: str = labels.LAYOUTS_CONFIG_MAP) -> Json:
    text = yaml.safe_dump({"version": "v1", "mig-configs": layouts})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {labels.LAYOUTS_KEY: text}}


def deployment(app: str, replicas: int = 1) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": app},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": app}}, "template": template(app)},
    }


def features_worker(tolerations: Sequence[Json] = ()) -> Json:
    """The worker of Node Feature Discovery, without which no node gets an operand."""
    pod = {"metadata": {"labels": FEATURES}, "spec": {**template("")["spec"], "tolerations": list(tolerations)}}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "node-feature-discovery-worker"},
        "spec": {"selector": {"matchLabels": FEATURES}, "template": pod},
    }


def daemon_set(app: str, deploy: str) -> Json:
    """An operand; its deploy label enables it per node."""
    pod = template(app)
    container = pod["spec"]["containers"][0]
    container["env"] = [{"name": "MIG_STRATEGY", "value": "mixed"}]
    pod["spec"]["nodeSelector"] = {labels.DEPLOY_PREFIX + deploy: "true"}
    if deploy == "mig-manager":
        container["volumeMounts"] = [{"name": "layouts", "mountPath": "/mig-parted-config"}]
        pod["spec"]["volumes"] = [{"name": "layouts", "configMap": {"name": labels.LAYOUTS_CONFIG_MAP}}]
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": app},
        "spec": {"selector": {"matchLabels": {"app": app}}, "template": pod},
    }


def template(app: str) -> Json:
    spec: Json = {"containers": [{"name": "main", "image": "simulated"}]}
    return {"metadata": {"labels": {"app": app}}, "spec": spec}
