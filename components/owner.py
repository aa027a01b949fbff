"""ClusterOwner: this stack owns the cluster, or nothing is written. PINNED: this module's path and its class names are
state.

Pulumi stores the provider by module path and class name, and loads it from the *old* state on destroy: never move or
rename either. The provider keeps no attributes, because they would be stored too.
"""

import uuid
from typing import NotRequired, TypedDict

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from mig_fleet.cluster.client import Cluster, ClusterArgs, ClusterError
from mig_fleet.components.preview import unobserved
from mig_fleet.failures import CleanError, one_clean_error
from mig_fleet.model import labels
from mig_fleet.observed.owners.cluster_owner import Owner, file_owner, other_owners, owner_conflicts
from mig_fleet.observed.snapshot import observe
from mig_fleet.rollout.wave import Props, stored

ID_LENGTH = 12
"""Hexadecimal digits of a stack's id."""

UNCHECKED = "the cluster does not answer, so its owner is checked in the update, before anything is written"

TAKEN_OVER = (
    "this stack owns the cluster, so cluster.takeOver is not needed any more; remove it, or this stack takes the "
    "cluster again when the other one has taken it back"
)


class ClusterOwned(CleanError):
    """Another stack owns the cluster, or the cluster does not answer; the message gives the reason."""


class ClusterOwnerArgs(TypedDict):
    """The cluster, and the stack that owns it from now on."""

    cluster: ClusterArgs
    namespace: str
    """Where MIG Manager runs, and the layout file is."""
    reports_namespace: NotRequired[str]
    """Where the probes write their reports (default: ``namespace``); the waves share the snapshot."""
    stack: NotRequired[str]
    """``organization/project/stack`` (default: the running stack)."""
    take_over: NotRequired[str | None]
    """The stack whose cluster is taken over on purpose."""


class ClusterOwnerProvider(ResourceProvider):
    """Compares the owner that the cluster records with this stack. It writes nothing: the layout file and the waves
    write the record that they get as an input.
    """

    serialize_as_secret_always = False

    def check(self, olds: Props, news: Props) -> CheckResult:
        """Called in each preview and each up, before any write. A failure if another stack owns the cluster.

        The stack's id is made here and not in `create`: `check` gets only the old inputs, and must know the id in
        them. It stays the same when the stack is renamed.
        """
        before = Owner.parse(olds.get("owner") or "")
        ours = Owner(before.id if before else uuid.uuid4().hex[:ID_LENGTH], news["stack"])
        news = {**stored(news), "owner": str(ours)}
        try:
            conflicts = _conflicts(news, was_owner=before is not None)
        except ClusterError as exc:
            found = unobserved(news, "the cluster's owner", exc)
            return CheckResult({**found.inputs, "drift": [UNCHECKED]}, found.failures)
        return CheckResult(news, [CheckFailure("", text) for text in conflicts])

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """An update if the stack was renamed or the connection changed; never a replacement, which would make a new id.

        ``takeOver`` alone changes nothing: it may stay in the stack file after a take-over.
        """
        changed = any(olds.get(key) != news.get(key) for key in ("owner", "cluster", "namespace"))
        return DiffResult(changes=changed or bool(news.get("drift")))

    def create(self, props: Props) -> CreateResult:
        return CreateResult(props["owner"].partition(" ")[0], _require_owner(props))

    def update(self, _id: str, _olds: Props, news: Props) -> UpdateResult:
        return UpdateResult(_require_owner(news))


class ClusterOwner(Resource, module="mig", name="ClusterOwner"):
    """The stack that owns the cluster. Everything that a program writes to the cluster must depend on it."""

    owner: pulumi.Output[str]
    """``<id> <organization>/<project>/<stack>``."""

    def __init__(self, name: str, args: ClusterOwnerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        running = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
        props = {
            "cluster": args["cluster"],
            "namespace": args["namespace"],
            "reportsNamespace": args.get("reports_namespace") or args["namespace"],
            "stack": args.get("stack") or running,
            "takeOver": args.get("take_over") or "",
            "owner": None,
        }
        super().__init__(ClusterOwnerProvider(), name, props, opts)


def _require_owner(props: Props) -> Props:
    """Check again with a stack that only warns of an unreachable cluster: it may be reachable by now. Returns the
    outputs; raises :class:`ClusterOwned`.
    """
    with one_clean_error(ClusterOwned):
        if props.get("drift") and (conflicts := _conflicts(props, fresh=True)):
            raise ClusterOwned("\n".join(conflicts))
    return stored(props)


def _conflicts(props: Props, fresh: bool = False, was_owner: bool = False) -> list[str]:
    ours = Owner.parse(props["owner"])
    assert ours is not None, "`check` wrote it"
    nodes = observe(props["cluster"], props["reportsNamespace"], fresh).nodes.values()
    config_map = Cluster(props["cluster"]).config_map(props["namespace"], labels.LAYOUTS_CONFIG_MAP)
    recorded = file_owner(config_map)
    if props["takeOver"] and recorded is not None and recorded.id == ours.id:
        pulumi.log.warn(TAKEN_OVER)
    return owner_conflicts(ours, props["takeOver"], other_owners(ours, config_map, nodes), was_owner)
