"""After `pulumi destroy` no object of ours remains, and the nodes are as the delete policy requires."""

import pytest

from mig_fleet.model import labels
from tests.engine.deployment import Deployment

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]


def test_destroy_removes_our_objects_and_follows_the_delete_policy_of_each_pool(deployed: Deployment) -> None:
    deployed.pools["mixed"]["rollout"]["onDelete"] = "disable"
    deployed.pools["training"]["rollout"]["onDelete"] = "restore"
    before = deployed.config_and_state()["gpu-node-1"][0]
    # Earlier tests took the cluster over and gave it back, which makes the config of that moment the one from before.
    original = {"metadata": {"annotations": {labels.PREVIOUS_CONFIG: labels.ALL_DISABLED}}}
    deployed.fleet.call("patch", "/api/v1/nodes/gpu-node-4", original)
    outcome = deployed.up()
    assert outcome.status == 0, outcome.text
    outcome = deployed.destroy()
    assert outcome.status == 0, outcome.text
    configs = {name: config for name, (config, _) in deployed.config_and_state().items()}
    assert configs["gpu-node-1"] == before, "retain is the default"
    assert configs["gpu-node-2"] == "all-disabled"
    assert configs["gpu-node-4"] == "all-disabled", "the config from before our first write"
    for node in deployed.nodes().values():
        ours = [key for key in node["metadata"].get("annotations", {}) if key.startswith("mig-fleet.dev/")]
        assert ours == [], node["metadata"]["name"]
        assert not node["spec"].get("taints") and not node["spec"].get("unschedulable")
    assert leftovers(deployed) == []


def leftovers(deployment: Deployment) -> list[str]:
    """Objects in the cluster with one of our names."""
    cluster = deployment.cluster
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
