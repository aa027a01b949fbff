"""What the user of an update needs on pods/exec, asked of the real API server with a token that has nothing else."""

from pathlib import Path

import pytest
import yaml

from mig_fleet.cluster.client import Cluster, ClusterError
from tests.simulator.site import NAMESPACE, Site

pytestmark = pytest.mark.engine

RBAC = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}"
COMMAND = ["nvidia-mig-parted", "assert", "--valid-config", "-f", "/mig-parted-config/config.yaml", "-c", "dense"]


def user(site: Site, name: str, verbs: list[str], folder: Path) -> Cluster:
    """The cluster as somebody sees it who may do this on pods/exec, and nothing else."""
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
    """What is said where the command may not be run; nothing where it was."""
    try:
        said = cluster.execute(NAMESPACE, manager(site), COMMAND)
    except ClusterError as exc:
        return str(exc)
    assert said == (0, "Selected MIG configuration is valid")
    return ""


def test_a_command_needs_get_and_create_and_neither_alone_is_enough(site: Site, tmp_path: Path) -> None:
    cluster = user(site, "updates", ["get", "create"], tmp_path)
    site.eventually(lambda: not refusal(cluster, site), "both let it run")
    for verb in ("get", "create"):
        allow(site, "updates", [verb])
        site.eventually(lambda: "is forbidden" in refusal(cluster, site), f"{verb} alone does not")
        allow(site, "updates", ["get", "create"])
        site.eventually(lambda: not refusal(cluster, site), "both let it run again")


def allow(site: Site, name: str, verbs: list[str]) -> None:
    rule = {"apiGroups": [""], "resources": ["pods/exec"], "verbs": verbs}
    site.fleet.call("patch", f"{RBAC}/roles/{name}", {"rules": [rule]})
