"""What a stack, an operand or a test may have changed in a cluster. Equal at two moments: nothing is different."""

from typing import Any

from mig_fleet.cluster.client import Cluster
from mig_fleet.model import labels
from mig_fleet.model.formatting import format_gpus
from mig_fleet.observed.reports import read_reports
from mig_fleet.simulator import Fleet

OPERATOR, REPORTS = "gpu-operator", "mig-fleet"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
COLLECTIONS = (
    "/api/v1/namespaces",
    "/api/v1/namespaces/default/pods",
    f"/api/v1/namespaces/{OPERATOR}/configmaps",
    f"/api/v1/namespaces/{REPORTS}/configmaps",
    f"/api/v1/namespaces/{REPORTS}/serviceaccounts",
    f"/api/v1/namespaces/{OPERATOR}/secrets",
    "/apis/apps/v1/daemonsets",
    "/apis/apps/v1/deployments",
    "/apis/nvidia.com/v1/clusterpolicies",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    f"{RBAC}/clusterroles",
    f"{RBAC}/clusterrolebindings",
    f"{RBAC}/namespaces/{REPORTS}/roles",
    f"{RBAC}/namespaces/{REPORTS}/rolebindings",
    f"{ADMISSION}/validatingadmissionpolicies",
    f"{ADMISSION}/validatingadmissionpolicybindings",
)


def observed_cluster(fleet: Fleet) -> dict[str, Any]:
    """Objects by path: their generation, or the version of those without one; nodes without their status; the drivers;
    the slices in the reports. Everything that changes by itself, such as a heartbeat, is left out.
    """
    cluster = Cluster({"kubeconfig": str(fleet.kubeconfig)})
    found: dict[str, Any] = {}
    for path in COLLECTIONS:
        for item in cluster.get(path)["items"]:
            metadata = item["metadata"]
            if labels.REPORT_LABEL not in metadata.get("labels", {}):
                version = metadata.get("generation") or metadata["resourceVersion"]
                found[f"{path}/{metadata['name']}"] = metadata["uid"], version
    for node in cluster.get("/api/v1/nodes")["items"]:
        metadata = node["metadata"]
        settings = metadata["uid"], metadata["labels"], metadata.get("annotations"), node["spec"]
        found[metadata["name"]] = *settings, node["status"]["allocatable"]
    for name in fleet.node_names():
        found[f"the driver of {name}"] = fleet.driver(name)
    for name, received in read_reports(cluster, REPORTS).items():
        found[f"the report of {name}"] = received.report and format_gpus(received.report.per_gpu())
    return found
