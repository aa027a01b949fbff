"""DestroyGuard: no destroy by a stack that no longer owns the cluster. PINNED: this module's path and its class names
are state.

Pulumi checks no resource in a destroy, and deletes first what nothing depends on. The guard depends on everything else,
so it is deleted first; if that fails, the engine deletes nothing, also with `--continue-on-error` (pulumi v3.259.0,
pkg/resource/deploy/deployment_executor.go, performPostSteps).

Pulumi stores the provider by module path and class name, and loads it from the *old* state on destroy: never move or
rename either. The provider keeps no attributes, because they would be stored too.
"""

from typing import NotRequired, TypedDict

import pulumi
from pulumi.dynamic import CheckResult, CreateResult, DiffResult, UpdateResult

from mig_fleet.cluster.client import Cluster, ClusterArgs
from mig_fleet.components.connection_identity import connection_identity, with_newest_credentials
from mig_fleet.components.preview import has_new_owner
from mig_fleet.components.provider import Provider
from mig_fleet.components.resource import Resource
from mig_fleet.failures import CleanError, one_clean_error
from mig_fleet.rollout.wave import Props


class DestroyRefused(CleanError):
    """Another stack owns the cluster now, or the kubeconfig reaches another cluster; the message names it."""


class DestroyGuardArgs(TypedDict):
    """The cluster, and the stack that owns it."""

    cluster: ClusterArgs
    namespace: str
    """Where the layout file is."""
    owner: pulumi.Input[str]
    """The output of :class:`~mig_fleet.components.owner.ClusterOwner`."""
    uid: NotRequired[pulumi.Input[str]]
    """The cluster; the output of the same resource (default: any cluster)."""


class DestroyGuardProvider(Provider):
    """Fails its own deletion in another cluster, or if the layout file records another owner."""

    def check(self, _olds: Props, news: Props) -> CheckResult:
        return CheckResult(news, [])

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """An update if what `delete` reads from the state changed."""
        moved = connection_identity(olds.get("cluster")) != connection_identity(news.get("cluster"))
        return DiffResult(changes=moved or olds.get("namespace") != news.get("namespace") or has_new_owner(olds, news))

    def create(self, props: Props) -> CreateResult:
        return CreateResult(props["namespace"], props)

    def update(self, _id: str, _olds: Props, news: Props) -> UpdateResult:
        return UpdateResult(news)

    def delete(self, _id: str, props: Props) -> None:
        """Called before anything else is deleted in a destroy."""
        from mig_fleet.rollout.owner import require_cluster, require_cluster_owner, require_node_owner

        with one_clean_error(DestroyRefused):
            props = with_newest_credentials(props)
            cluster = Cluster(props["cluster"])
            require_cluster(cluster, props.get("uid") or "", props["owner"])
            require_cluster_owner(cluster, props["namespace"], props["owner"])
            require_node_owner(cluster, props["namespace"], props["owner"])


class DestroyGuard(Resource, module="mig", name="DestroyGuard"):
    """Must depend on everything else that the program creates."""

    def __init__(self, name: str, args: DestroyGuardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(DestroyGuardProvider(), name, {**args}, opts)
