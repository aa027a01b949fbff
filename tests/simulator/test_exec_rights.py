"""The verbs on pods/exec that an update needs, tested on the real API server with a token that has no other rights."""

from pathlib import Path

import pytest
import yaml

from mig_fleet.cluster.client import Cluster, ClusterError
from tests.simulator.site import NAMESPACE, Site

pytestmark = pytest.mark.engine

RBAC = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}"
COMMAND = ["nvidia-mig-parted", "assert", "--valid-config", "-f", "/mig-parted-config/config.yaml", "-c", "dense"]


def user(site: Site, name: str, verbs: list[str], folder: Path) -> Cluster:
    """The cluster for a user with these verbs on pods/exec and no other rights."""
    accounts = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"
    rule = {"apiGroups": [""], "resources": ["pods/exec"], "verbs": verbs}
    site.create(accounts, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})
    group, metadata = "rbac.authorization.k8s.io", {"name": name}
    site.create(f"{RBAC}/roles", {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]})
    site.create(
        f"{RBAC}/rolebindings",
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}],
        },
    )
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = site.create(f"{accounts}/{name}/token", request)["status"]["token"]
    kubeconfig = yaml.safe_load(site.fleet.kubeconfig.read_text())
    kubeconfig["users"] = [{"name": each["name"], "user": {"token": token}} for each in kubeconfig["users"]]
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig))
    return Cluster({"kubeconfig": str(path)})


def manager(site: Site) -> str:
    return str(site.pods("nvidia-mig-manager", "hopper-1")[0]["metadata"]["name"])


def refusal(cluster: Cluster, site: Site) -> str:
    """The error when the command is refused; empty when it runs."""
    try:
        result = cluster.execute(NAMESPACE, manager(site), COMMAND)
    except ClusterError as exc:
        return str(exc)
    assert result == (0, "Selected MIG configuration is valid")
    return ""


def test_a_command_needs_both_get_and_create(site: Site, tmp_path: Path) -> None:
    cluster = user(site, "updates", ["get", "create"], tmp_path)
    site.eventually(lambda: not refusal(cluster, site), "it runs with both")
    for verb in ("get", "create"):
        allow(site, "updates", [verb])
        site.eventually(lambda: "is forbidden" in refusal(cluster, site), f"it does not run with {verb} alone")
        allow(site, "updates", ["get", "create"])
        site.eventually(lambda: not refusal(cluster, site), "it runs with both again")


def allow(site: Site, name: str, verbs: list[str]) -> None:
    rule = {"apiGroups": [""], "resources": ["pods/exec"], "verbs": verbs}
    site.fleet.call("patch", f"{RBAC}/roles/{name}", {"rules": [rule]})
