"""The layout file whose namespace is gone, or whose reader is not of this stack."""

from mig_fleet.cluster.client import Cluster
from mig_fleet.model import labels
from mig_fleet.observed.owners.identity import REFRESH


def without_namespace(namespace: str, operator_managed: bool) -> str:
    """What to do if the namespace of MIG Manager is missing."""
    remedy = (
        f"run {REFRESH}, which installs the GPU Operator again"
        if operator_managed
        else "install the GPU Operator there, or set `operator.namespace` to where it runs"
    )
    return f"namespace {namespace} is missing, and all that was in it; {remedy}"


def leave(cluster: Cluster, namespace: str) -> None:
    """Give the ConfigMap to the owner of MIG Manager."""
    name = labels.LAYOUTS_CONFIG_MAP
    if cluster.config_map(namespace, name) is None:
        return
    cluster.write_config_map(namespace, name, {}, {labels.OWNER: None})
    print(
        f"ConfigMap {namespace}/{name} was not deleted, because MIG Manager reads it and is not of this stack; to "
        "remove it, let MIG Manager read another ConfigMap that has the configs of all nodes, then run "
        f"`kubectl -n {namespace} delete configmap {name}`",
        flush=True,
    )
