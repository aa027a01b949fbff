"""Refuses to create an object that exists already, in previews too.

A hook that runs before a creation is the only place that knows both sides: the engine calls it only for a resource that
the stack's state does not have, and it can read the cluster. An imported resource is updated, not created.

An update without a preview would reach the hook of each object only after others are written. The provider's own hook
is earlier: the program's provider is new only if the state has no object of it, imported ones included, and everything
that the program writes depends on the provider.
"""

import asyncio
import functools
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import pulumi
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.settings import get_monitor

from mig_fleet.cluster.connection import ClusterArgs
from mig_fleet.failures import Refused
from mig_fleet.observed.installed.existing_objects import COLLECTIONS, RELEASE, PlannedObject

CHECKED = (*COLLECTIONS, RELEASE)


def refuse_existing_objects(cluster: ClusterArgs, namespace: str = "") -> pulumi.ResourceHookBinding | None:
    """For every Helm release that the program registers from now on, and every object of the kinds in COLLECTIONS.

    ``namespace`` is that of objects whose namespace is the output of another resource.

    Returns the hooks for the program's Kubernetes provider: an update that creates the provider checks all objects
    before it writes the first one. Everything else must depend on the provider.

    Mocks have no engine that could call a hook.
    """
    if isinstance(get_monitor(), MockMonitor):
        return None
    registered: list[PlannedObject] = []
    pulumi.runtime.register_stack_transformation(functools.partial(_with_hook, cluster, namespace, registered))

    async def refuse(_call: pulumi.ResourceHookArgs) -> None:
        for planned in registered:
            await asyncio.to_thread(_refuse, cluster, planned, registered)

    # A preview calls the hook of each object.
    hook = pulumi.ResourceHook("objects of the program are new", refuse)
    return pulumi.ResourceHookBinding(before_create=[hook])


def _with_hook(
    cluster: ClusterArgs, namespace: str, registered: list[PlannedObject], args: pulumi.ResourceTransformationArgs
) -> pulumi.ResourceTransformationResult | None:
    """``registered`` collects the objects of the program whose names are known: the engine calls a hook after the
    program has run.
    """
    if args.type_ not in CHECKED:
        return None
    parent = args.opts.parent
    above = None if parent is None or parent._type == "pulumi:pulumi:Stack" else (parent._type, parent._name)

    def plan(inputs: Any) -> PlannedObject | None:
        """``None`` for a name that follows from an object that is not created yet."""
        at = inputs if args.type_ == RELEASE else inputs.get("metadata") or {}
        name, where = (at.get("name"), at.get("namespace", "")) if isinstance(at, Mapping) else (None, "")
        if not isinstance(name, str):
            return None
        where = where if isinstance(where, str) else namespace
        immutable = inputs.get("immutable") is True
        return PlannedObject(args.type_, name, where, args.name, above, _provider(cluster), _version(), immutable)

    if (planned := plan(args.props)) is not None:
        registered.append(planned)

    async def refuse(call: pulumi.ResourceHookArgs) -> None:
        if (planned := plan(call.new_inputs or {})) is not None:
            await asyncio.to_thread(_refuse, cluster, planned, registered)

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
