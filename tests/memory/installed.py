"""A cluster with a GPU Operator, as each of the usual tools leaves it. Only what is read of the objects is in them."""

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from mig_fleet.cluster.connection import Connection, Json
from mig_fleet.cluster.errors import ClusterError, Forbidden, NotFound
from mig_fleet.model import labels

T = TypeVar("T")

NAMESPACE = "gpu-operator"
SECRET_VALUE = "a-password-in-the-values"
DEPLOYMENTS, DAEMON_SETS = "/apis/apps/v1/deployments", "/apis/apps/v1/daemonsets"
POLICIES, APPLICATIONS = "/apis/nvidia.com/v1/clusterpolicies", "/apis/argoproj.io/v1alpha1/applications"
CHART_LABELS = {
    "app.kubernetes.io/name": "gpu-operator",
    "app.kubernetes.io/instance": "gpu-operator",
    "app.kubernetes.io/version": "v25.10.0",
    "app.kubernetes.io/managed-by": "Helm",
    "helm.sh/chart": "gpu-operator-v25.10.0",
}
HELM = {"meta.helm.sh/release-name": "gpu-operator", "meta.helm.sh/release-namespace": NAMESPACE}


class InstalledCluster(Connection):
    """Lists of objects by path, and single ones by name below it. A path that is not known answers 404."""

    def __init__(self) -> None:
        self.lists: dict[str, list[Json]] = {
            DEPLOYMENTS: [],
            DAEMON_SETS: [],
            "/api/v1/nodes": [],
            "/api/v1/configmaps": [],
        }
        self.errors: dict[str, ClusterError] = {}
        """Path → the error that each request for it gets."""
        self.requests: list[str] = []
        self.context = "prod-gpu"
        self.server = "https://cluster"

    def forbid(self, path: str) -> None:
        self.errors[path] = Forbidden(f"the cluster refuses GET {path}: no right")

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        self.requests.append(path)
        if path in self.errors:
            raise self.errors[path]
        if path in self.lists or path.endswith(("/configmaps", "/secrets")):
            items = self.lists.get(path, [])
            return {"items": [item for item in items if _is_selected(item, (query or {}).get("labelSelector", ""))]}
        collection, _, name = path.rpartition("/")
        for item in self.lists.get(collection, []):
            if item["metadata"]["name"] == name:
                return item
        raise NotFound(f"GET {path} answered 404: not found")

    def read(self, path: str, shape: type[T], query: Mapping[str, str] | None = None) -> T:
        return msgspec.convert(self.get(path, query), shape)

    def call(self, method: str, path: str, *_: object, **__: object) -> Json:
        raise AssertionError(f"{method} {path}: an import only reads")

    def config_map(self, name: str, data: Mapping[str, str], namespace: str = NAMESPACE, **metadata: Any) -> None:
        item = {"metadata": {"name": name, "namespace": namespace, **metadata}, "data": dict(data)}
        self.lists.setdefault(f"/api/v1/namespaces/{namespace}/configmaps", []).append(item)
        self.lists["/api/v1/configmaps"].append(item)


def with_operator(
    namespace: str = NAMESPACE,
    node_labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    layouts: str = "",
    **metadata: Any,
) -> InstalledCluster:
    """The operator's Deployment, MIG Manager's DaemonSet and the ClusterPolicy; the marks are on the Deployment."""
    cluster = InstalledCluster()
    cluster.lists[DEPLOYMENTS] = [
        {
            "metadata": {
                "name": "gpu-operator",
                "namespace": namespace,
                "labels": {"app.kubernetes.io/component": "gpu-operator", **(node_labels or {})},
                "annotations": dict(annotations or {}),
                **metadata,
            },
            "spec": {"template": {"spec": {"containers": [{"image": "nvcr.io/nvidia/gpu-operator:v25.3.4"}]}}},
        }
    ]
    cluster.lists[DAEMON_SETS] = [
        {"metadata": {"name": "nvidia-mig-manager", "namespace": namespace, "labels": {"app": "nvidia-mig-manager"}}}
    ]
    policy: Json = {"metadata": {"name": "cluster-policy"}, "status": {"namespace": namespace}}
    cluster.lists[POLICIES] = [{**policy, "spec": {"migManager": {"config": {"name": layouts}}}}]
    cluster.lists[f"/api/v1/namespaces/{namespace}/secrets"] = []
    return cluster


def by_helm() -> InstalledCluster:
    """`helm install gpu-operator nvidia/gpu-operator -n gpu-operator`, upgraded twice."""
    cluster = with_operator(node_labels=CHART_LABELS, annotations=HELM)
    cluster.lists[f"/api/v1/namespaces/{NAMESPACE}/secrets"] = [
        helm_secret(revision, status) for revision, status in ((1, "superseded"), (2, "superseded"), (3, "deployed"))
    ]
    return cluster


def by_argo_cd() -> InstalledCluster:
    """An Application of Argo CD, which renders the chart: Helm has no record of it."""
    tracking = {"argocd.argoproj.io/tracking-id": "gpus:apps/Deployment:gpu-operator/gpu-operator"}
    cluster = with_operator(node_labels=CHART_LABELS, annotations=tracking)
    cluster.lists[APPLICATIONS] = [{"metadata": {"name": "gpus", "namespace": "argocd"}}]
    return cluster


def by_olm() -> InstalledCluster:
    """NVIDIA's certified operator on OpenShift, in its own namespace."""
    csv = {"kind": "ClusterServiceVersion", "name": "gpu-operator-certified.v24.9.2"}
    owned = {"olm.owner": csv["name"], "olm.owner.kind": csv["kind"], "olm.owner.namespace": "nvidia-gpu-operator"}
    return with_operator("nvidia-gpu-operator", owned, ownerReferences=[csv])


def helm_secret(
    revision: int = 1, status: str = "deployed", chart: str = "gpu-operator", version: str = "v25.10.0"
) -> Json:
    """Helm's record of a revision; the user's values have a secret."""
    record = {
        "name": "gpu-operator",
        "version": revision,
        "namespace": NAMESPACE,
        "info": {"status": status, "description": "Install complete"},
        "chart": {"metadata": {"name": chart, "version": version, "appVersion": version}, "values": {"a": 1}},
        "config": {"driver": {"licensing": SECRET_VALUE}},
        "manifest": "kind: Secret\n",
    }
    return secret_of(gzip.compress(json.dumps(record).encode()), revision, status)


def secret_of(inner: bytes, revision: int = 1, status: str = "deployed", name: str = "gpu-operator") -> Json:
    """A Secret of Helm with any content."""
    marks = {"owner": "helm", "name": name, "status": status, "version": str(revision)}
    value = base64.b64encode(base64.b64encode(inner)).decode()
    metadata = {"name": f"sh.helm.release.v1.{name}.v{revision}", "labels": marks}
    return {"metadata": metadata, "type": "helm.sh/release.v1", "data": {"release": value}}


def gpu_node(
    name: str, config: str, offered: Mapping[str, int], product: str = "NVIDIA-H100-80GB-HBM3", **more: str
) -> Json:
    """A node with eight GPUs under strategy mixed; GFD counts what the kubelet offers. ``more`` are labels whose name
    begins with ``nvidia.com/``, with ``_`` for ``-``.
    """
    counts = {f"{key}.count": str(number) for key, number in offered.items() if key.startswith(labels.RESOURCE_PREFIX)}
    found = {
        labels.CAPABLE: "true",
        labels.CONFIG: config,
        labels.STATE: "success",
        labels.STRATEGY: "mixed",
        labels.PRODUCT: product,
        labels.COUNT: "8",
        **counts,
        **{f"nvidia.com/{key.replace('_', '-')}": value for key, value in more.items()},
    }
    allocatable = {"cpu": "32", **{key: str(number) for key, number in offered.items()}}
    return {"metadata": {"name": name, "labels": found}, "status": {"allocatable": allocatable}}


def _is_selected(item: Json, selector: str) -> bool:
    found = item["metadata"].get("labels") or {}
    for term in filter(None, selector.split(",")):
        key, _, value = term.partition("=")
        if key.endswith("!"):
            if found.get(key[:-1]) == value:
                return False
        elif found.get(key) != value:
            return False
    return True
