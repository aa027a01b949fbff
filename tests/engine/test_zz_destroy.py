"""The end of a stack: nothing of ours stays, and the nodes are as the delete policy says."""

import pytest

from mig_fleet.cluster.client import Cluster
from mig_fleet.model import labels
from tests.engine.deployment import Deployment

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]


def test_destroy_leaves_no_object_of_ours_and_the_nodes_as_each_pool_says(deployed: Deployment) -> None:
    deployed.pools["mixed"]["rollout"]["onDelete"] = "disable"
    deployed.pools["training"]["rollout"]["onDelete"] = "restore"
    kept = deployed.carried()["gpu-node-1"][0]
    outcome = deployed.up()
    assert outcome.status == 0, outcome.text
    outcome = deployed.destroy()
    assert outcome.status == 0, outcome.text
    carried = {name: config for name, (config, _) in deployed.carried().items()}
    assert carried["gpu-node-1"] == kept, "retain is the default"
    assert carried["gpu-node-2"] == "all-disabled"
    assert carried["gpu-node-4"] == "all-disabled", "what it carried before our first write"
    for node in deployed.nodes().values():
        ours = [key for key in node["metadata"].get("annotations", {}) if key.startswith("mig-fleet.dev/")]
        assert ours == [], node["metadata"]["name"]
        assert not node["spec"].get("taints") and not node["spec"].get("unschedulable")
    assert leftovers(deployed) == []


def leftovers(deployment: Deployment) -> list[str]:
    """Objects in the cluster that carry one of our names."""
    cluster = Cluster({"kubeconfig": str(deployment.fleet.kubeconfig)})
    kinds = (
        "/api/v1/namespaces",
        "/api/v1/configmaps",
        "/api/v1/serviceaccounts",
        "/apis/apps/v1/daemonsets",
        "/apis/apps/v1/deployments",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        "/apis/rbac.authorization.k8s.io/v1/roles",
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
    )
    found = [(kind, item["metadata"]["name"]) for kind in kinds for item in cluster.get(kind)["items"]]
    ours = ("mig-fleet", "mig-probe", labels.REPORT_PREFIX, "gpu-operator", "nvidia-")
    return sorted(f"{kind}/{name}" for kind, name in found if name.startswith(ours))
