"""Which cluster a kubeconfig reaches, and whether it is the one that the stack was deployed to.

The UID of the namespace ``kube-system`` identifies a cluster: the API server creates the namespace with the cluster,
and refuses its deletion (kubernetes v1.37.2, plugin/pkg/admission/namespace/lifecycle/admission.go). The name of a
context and the address of a server can be those of another cluster tomorrow.
"""

from dataclasses import dataclass
from typing import Any

from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.errors import Forbidden

PATH = "/api/v1/namespaces/kube-system"

SETTING = "cluster.uid"

REFRESH = "`pulumi preview`, which refuses another cluster, then `pulumi up --refresh`"
"""A refresh comes before all that can compare the cluster, and removes from the state what the cluster lacks."""


@dataclass(frozen=True)
class Identity:
    """A cluster, and how it was reached. ``uid`` is empty if it is not known."""

    uid: str = ""
    server: str = ""
    """The address of the API server."""
    context: str = ""
    """The context of the kubeconfig."""

    def __str__(self) -> str:
        return f"{self.uid} at {self.server}" if self.server else self.uid


def read_identity(cluster: Cluster) -> Identity:
    """The cluster that is reached now. Raises :class:`Forbidden` if the user may not read the namespace, and any other
    :class:`~mig_fleet.cluster.errors.ClusterError`.
    """
    metadata: dict[str, Any] = cluster.metadata(PATH)["metadata"]
    return Identity(str(metadata.get("uid") or ""), cluster.server, cluster.context)


def unchecked(reason: Forbidden) -> str:
    """The warning for a user who may not read the namespace."""
    return (
        "it is not checked whether the kubeconfig reaches the cluster that this stack was deployed to: that needs the "
        f"right to get the namespace kube-system ({reason})"
    )


def other_cluster(reached: Identity, before: Identity, declared: str = "") -> str:
    """Why the stack must write nothing to the cluster that is reached; empty if it may.

    ``before`` is the cluster of the last update, ``declared`` the setting ``cluster.uid``, which decides if it is
    there. What is not known is not compared.
    """
    if not reached.uid or reached.uid == (declared or before.uid or reached.uid):
        return ""
    choose = f"`kubectl config use-context` or `cluster.context` chooses another context than {reached.context!r}"
    move = f"`pulumi config set --path mig-fleet:{SETTING} {reached.uid}`"
    if declared:
        return (
            f"{SETTING} names the cluster {declared}, and the kubeconfig reaches {reached}; nothing was changed. "
            f"{choose}; {move} names the cluster that is reached."
        )
    deploy = f"{move}, {REFRESH}"
    if before.server == reached.server:
        return (
            f"the cluster at {reached.server} was created again, or another one has its address: the UID of its "
            f"namespace kube-system is {reached.uid}, and was {before.uid} when this stack was deployed; nothing was "
            f"changed. To deploy the stack to the new cluster: {deploy}."
        )
    return (
        f"this stack was deployed to the cluster {before}, and the kubeconfig reaches another one, {reached}; nothing "
        f"was changed. {choose}. To move the stack to this cluster on purpose: {deploy}."
    )
