"""Refuses to create an object that exists already, in previews too.

A hook that runs before a creation is the only place that knows both sides: the engine calls it only for a resource that
the stack's state does not have, and it can read the cluster. An imported resource is updated, not created.
"""

import asyncio
import functools
from importlib.metadata import version
from typing import Any

import pulumi
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.settings import get_monitor

from mig_fleet.cluster.connection import ClusterArgs
from mig_fleet.failures import Refused
from mig_fleet.observed.installed.existing_objects import COLLECTIONS, RELEASE, PlannedObject

CHECKED = (*COLLECTIONS, RELEASE)


def refuse_existing_objects(cluster: ClusterArgs) -> None:
    """For every Helm release that the program registers from now on, and every object of the kinds in COLLECTIONS.

    Mocks have no engine that could call a hook.
    """
    if not isinstance(get_monitor(), MockMonitor):
        registered: list[PlannedObject] = []
        pulumi.runtime.register_stack_transformation(functools.partial(_with_hook, cluster, registered))


def _with_hook(
    cluster: ClusterArgs, registered: list[PlannedObject], args: pulumi.ResourceTransformationArgs
) -> pulumi.ResourceTransformationResult | None:
    """``registered`` collects the releases of the program: the engine calls a hook after the program has run."""
    if args.type_ not in CHECKED:
        return None
    parent = args.opts.parent
    above = None if parent is None or parent._type == "pulumi:pulumi:Stack" else (parent._type, parent._name)

    def plan(name: str, namespace: str = "") -> PlannedObject:
        return PlannedObject(args.type_, name, namespace, args.name, above, _provider(cluster), _version())

    release = args.props.get("name") if args.type_ == RELEASE else None
    if isinstance(release, str):
        registered.append(plan(release))

    async def refuse(call: pulumi.ResourceHookArgs) -> None:
        inputs: Any = call.new_inputs or {}
        at = inputs if args.type_ == RELEASE else inputs.get("metadata") or {}
        name, namespace = at.get("name"), at.get("namespace")
        # A preview does not know a name that follows from an object that is not created yet.
        if isinstance(name, str):
            where = namespace if isinstance(namespace, str) else ""
            await asyncio.to_thread(_refuse, cluster, plan(name, where), registered)

    what = args.type_.rpartition(":")[2]
    hook = pulumi.ResourceHook(f"{what} {args.name} is new", refuse, pulumi.ResourceHookOptions(on_dry_run=True))
    binding = pulumi.ResourceHookBinding(before_create=[hook])
    return pulumi.ResourceTransformationResult(
        args.props, pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(hooks=binding))
    )


def _provider(cluster: ClusterArgs) -> dict[str, str]:
    """The inputs of the program's Kubernetes provider, as the engine stores them."""
    connection = {key: str(value) for key, value in cluster.items() if key in ("kubeconfig", "context")}
    return {**connection, "clusterIdentifier": "mig-fleet", "enableConfigMapMutable": "true"}


def _version() -> str:
    """The version of the provider's plugin that the program requests."""
    return version("pulumi-kubernetes")


def _refuse(cluster: ClusterArgs, planned: PlannedObject, registered: list[PlannedObject]) -> None:
    from mig_fleet.cluster.client import Cluster
    from mig_fleet.cluster.errors import ClusterUnreachable
    from mig_fleet.observed.installed.existing_objects import foreign_object

    try:
        problem = foreign_object(Cluster(cluster), planned, registered)
    except ClusterUnreachable as exc:
        if cluster.get("onUnreachable") != "warn":
            raise
        pulumi.log.warn(f"{planned.resource}: it was not checked whether the object exists: {exc}")
        return
    if problem:
        raise Refused(problem)
