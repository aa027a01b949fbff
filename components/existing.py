"""Refuses to create an object that exists already, in previews too.

A hook that runs before a creation is the only place that knows both sides: the engine calls it only for a resource that
the stack's state does not have, and it can read the cluster. An imported resource is updated, not created.

An update without a preview would reach the hook of each object only after others are written. The provider's own hook
is earlier: the program's provider is new only if the state has no object of it, imported ones included, and everything
that the program writes depends on the provider.
"""

import asyncio
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, cast

import pulumi
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.settings import _get_callbacks, get_monitor
from pulumi.runtime.sync_await import _sync_await

from mig_fleet.cluster.connection import ClusterArgs
from mig_fleet.components.cluster_input import is_known
from mig_fleet.components.resource import is_plugin
from mig_fleet.failures import Refused
from mig_fleet.observed.installed.existing_objects import COLLECTIONS, RELEASE, PlannedObject

CHECKED = (*COLLECTIONS, RELEASE)


class ExistingObjects:
    """Refuses every Helm release that a program registers, and every object of the kinds in COLLECTIONS, if it exists.

    Pass :meth:`transform` to the resources as a transformation, and :meth:`for_provider` to the Kubernetes provider as
    its hooks: an update that creates the provider checks all objects before it writes the first one. Everything else
    must depend on the provider.
    """

    def __init__(self, cluster: Mapping[str, Any], namespace: str = "", fleet: tuple[str, str] | None = None) -> None:
        """``namespace`` is that of objects whose namespace is the output of another resource; ``fleet`` is the type and
        the name of the component above them. An output in ``cluster`` is awaited; while it is unknown, no object is
        looked for.
        """
        self._cluster, self._namespace, self._fleet = cluster, namespace, fleet
        self._registered: list[PlannedObject] = []

    def for_provider(self) -> pulumi.ResourceHookBinding:
        """The hooks of the Kubernetes provider; a preview calls the hook of each object instead."""
        what = f"fleet {self._fleet[1]}" if self._fleet else "the program"
        return pulumi.ResourceHookBinding(
            before_create=[pulumi.ResourceHook(f"objects of {what} are new", self._refuse_all)]
        )

    def transform(self, args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        """Add a hook to a resource that would create an object."""
        if args.type_ not in CHECKED:
            return None
        if (planned := self._plan(args, args.props)) is not None:
            # The engine calls a hook after the program has run.
            self._registered.append(planned)

        async def refuse(call: pulumi.ResourceHookArgs) -> None:
            if (planned := self._plan(args, call.new_inputs or {})) is not None:
                await self._refuse(planned)

        what = args.type_.rpartition(":")[2]
        hook = pulumi.ResourceHook(f"{what} {args.name} is new", refuse, pulumi.ResourceHookOptions(on_dry_run=True))
        binding = pulumi.ResourceHookBinding(before_create=[hook])
        return pulumi.ResourceTransformationResult(
            args.props, pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(hooks=binding))
        )

    def _plan(self, args: pulumi.ResourceTransformationArgs, inputs: Any) -> PlannedObject | None:
        """``None`` for a name that follows from an object that is not created yet."""
        at = inputs if args.type_ == RELEASE else inputs.get("metadata") or {}
        name, where = (at.get("name"), at.get("namespace", "")) if isinstance(at, Mapping) else (None, "")
        if not isinstance(name, str):
            return None
        parent = args.opts.parent
        above = None if parent is None or parent._type == "pulumi:pulumi:Stack" else (parent._type, parent._name)
        return PlannedObject(
            kind=args.type_,
            name=name,
            namespace=where if isinstance(where, str) else self._namespace,
            resource=args.name,
            parent=above,
            provider=_provider(self._cluster),
            version=_version(),
            immutable=inputs.get("immutable") is True,
            fleet=self._fleet,
        )

    async def _refuse_all(self, _call: pulumi.ResourceHookArgs) -> None:
        for planned in self._registered:
            await self._refuse(planned)

    async def _refuse(self, planned: PlannedObject) -> None:
        cluster: Mapping[str, Any] | None = self._cluster
        if not is_known(self._cluster):
            cluster = await pulumi.Output.from_input(dict(self._cluster)).future()
        if cluster is not None and not pulumi.runtime.rpc.contains_unknowns(cluster):
            await asyncio.to_thread(_refuse, cast(ClusterArgs, cluster), planned, self._registered)


def has_hooks() -> bool:
    """Whether an engine runs the program that could call a hook; mocks are none."""
    return not isinstance(get_monitor(), MockMonitor)


def start_callback_server() -> None:
    """Starts the server by which the engine calls hooks, before anything of the program can fail.

    The SDK starts it with the first hook, and stops it when the program fails. gRPC ends the process, without any
    message of the program, if a server is stopped while it starts (grpcio 1.85.1, SDK 3.259.0 to 3.272.0). The plugin
    stops none.
    """
    if not is_plugin():
        _sync_await(_get_callbacks())


def refuse_existing_objects(cluster: ClusterArgs, namespace: str = "") -> pulumi.ResourceHookBinding | None:
    """For all resources that the program registers from now on; returns the hooks of its Kubernetes provider."""
    if not has_hooks():
        return None
    start_callback_server()
    existing = ExistingObjects(cluster, namespace)
    pulumi.runtime.register_stack_transformation(existing.transform)
    return existing.for_provider()


def _provider(cluster: Mapping[str, Any]) -> dict[str, str]:
    """The inputs of the program's Kubernetes provider, as the engine stores them; of those that an output has, none."""
    plain = {key: value for key, value in cluster.items() if not isinstance(value, pulumi.Output)}
    connection = {key: str(value) for key, value in plain.items() if key in ("kubeconfig", "context")}
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
