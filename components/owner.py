"""ClusterOwner: this stack owns the cluster, or nothing is written. PINNED: this module's path and its class names are
state.

Pulumi stores the provider by module path and class name, and loads it from the *old* state on destroy: never move or
rename either. The provider keeps no attributes, because they would be stored too.
"""

import uuid
from collections.abc import Sequence
from typing import NotRequired, TypedDict

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, UpdateResult

from mig_fleet.cluster.client import Cluster, ClusterArgs, ClusterError
from mig_fleet.cluster.errors import Forbidden
from mig_fleet.components.connection_identity import connection_identity
from mig_fleet.components.preview import unknown_cluster, unobserved
from mig_fleet.components.provider import Provider
from mig_fleet.components.resource import Resource
from mig_fleet.failures import CleanError, one_clean_error
from mig_fleet.model import labels
from mig_fleet.model.allocated_by import DRA_NAMESPACE
from mig_fleet.observed.installed.served_kinds import missing_kinds
from mig_fleet.observed.owners.cluster_owner import Owner, file_owner, other_owners, owner_conflicts
from mig_fleet.observed.owners.identity import Identity, other_cluster, read_identity, unchecked
from mig_fleet.observed.owners.other_files import other_file_owners
from mig_fleet.observed.rights.missing import missing_rights
from mig_fleet.observed.rights.needed import needed_grants
from mig_fleet.observed.snapshot import observe
from mig_fleet.rollout.wave import Props, stored

ID_LENGTH = 12
"""Hexadecimal digits of a stack's id."""

IDENTITY = ("uid", "server")
"""The inputs that `check` adds: the cluster that the last update reached, if that is known."""

UNCHECKED = "the cluster does not answer, so its owner is checked in the update, before anything is written"


class ClusterOwned(CleanError):
    """Another stack owns the cluster, it is another one than before, or it does not answer; the message says which."""


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
    """The owner whose cluster is taken over on purpose, as the refusal prints it: ``<id> <stack>``."""
    declared_uid: NotRequired[str | None]
    """The UID of the cluster's namespace ``kube-system``; another cluster is refused (default: that of the last
    update)."""
    uses: NotRequired[Sequence[str]]
    """What the stack does, as values of :class:`~mig_fleet.observed.rights.grant.Use`: a user who lacks a right that
    the stack needs is refused, and so is a cluster that lacks a kind (default: neither is checked)."""
    dra_namespace: NotRequired[str]
    """Where the DRA driver runs, if the stack uses it; the stack needs a right there."""


class ClusterOwnerProvider(Provider):
    """Compares the owner that the cluster records with this stack. It writes nothing: the layout file and the waves
    write the record that they get as an input.
    """

    def check(self, olds: Props, news: Props) -> CheckResult:
        """Called in each preview and each up, before any write. A failure if another stack owns the cluster.

        The stack's id is made here and not in `create`: `check` gets only the old inputs, and must know the id in
        them. It stays the same when the stack is renamed. A take-over gives the stack a new one, so that a
        ``takeOver`` that names its former id has no effect.
        """
        before = Owner.parse(olds.get("owner") or "")
        fresh = Owner(uuid.uuid4().hex[:ID_LENGTH], news["stack"])
        ours = Owner(before.id, news["stack"]) if before else fresh
        known = {key: olds.get(key) or "" for key in IDENTITY}
        news = {**stored(news), **known, "owner": str(ours)}
        if unread := unknown_cluster(news):
            return unread
        try:
            _require_rights(news)
            reached = _reached(news)
            if other := other_cluster(reached, Identity(**known), news.get("declaredUid") or ""):
                return CheckResult(news, [CheckFailure("", other)])
            news |= {key: getattr(reached, key) for key in IDENTITY if reached.uid}
            if missing := missing_kinds(Cluster(news["cluster"]), news.get("uses") or ()):
                return CheckResult(news, [CheckFailure("", text) for text in missing])
            owners = _other_owners(news)
        except ClusterError as exc:
            found = unobserved(news, "the cluster's owner", exc)
            return CheckResult({**found.inputs, "drift": [UNCHECKED]}, found.failures)
        if any(owner.is_named_by(news["takeOver"]) for owner in owners):
            return CheckResult({**news, "owner": str(fresh)}, [])
        conflicts = owner_conflicts(ours, news["takeOver"], owners, was_owner=before is not None)
        return CheckResult(news, [CheckFailure("", text) for text in conflicts])

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """An update if the stack was renamed or the connection changed; never a replacement, which would make a new id.

        ``takeOver`` alone changes nothing: it may stay in the stack file after a take-over, and then has no effect.
        """
        changed = any(olds.get(key) != news.get(key) for key in ("owner", "namespace", "uid"))
        changed = changed or connection_identity(olds.get("cluster")) != connection_identity(news.get("cluster"))
        return DiffResult(changes=changed or bool(news.get("drift")))

    def create(self, props: Props) -> CreateResult:
        return CreateResult(props["owner"].partition(" ")[0], _require_owner(props))

    def update(self, _id: str, _olds: Props, news: Props) -> UpdateResult:
        return UpdateResult(_require_owner(news))


class ClusterOwner(Resource, module="mig", name="ClusterOwner"):
    """The stack that owns the cluster. Everything that a program writes to the cluster must depend on it."""

    owner: pulumi.Output[str]
    """``<id> <organization>/<project>/<stack>``."""
    uid: pulumi.Output[str]
    """The UID of the cluster's namespace ``kube-system``; empty if it is not known."""

    def __init__(self, name: str, args: ClusterOwnerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        running = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
        props = {
            "cluster": args["cluster"],
            "namespace": args["namespace"],
            "reportsNamespace": args.get("reports_namespace") or args["namespace"],
            "stack": args.get("stack") or running,
            "takeOver": args.get("take_over") or "",
            "declaredUid": args.get("declared_uid") or "",
            "uses": None if (uses := args.get("uses")) is None else list(uses),
            "owner": None,
            "uid": None,
        }
        if namespace := args.get("dra_namespace"):
            props["draNamespace"] = namespace
        super().__init__(ClusterOwnerProvider(), name, props, opts)


def _require_rights(props: Props) -> None:
    """Raises :class:`~mig_fleet.cluster.errors.Forbidden` with every right that the user lacks."""
    if (uses := props.get("uses")) is None:
        return
    namespaces = props["namespace"], props["reportsNamespace"]
    grants = needed_grants(*namespaces, uses, props.get("draNamespace") or DRA_NAMESPACE)
    missing, stack = missing_rights(Cluster(props["cluster"]), grants), props["stack"].rpartition("/")[2]
    if error := missing.error(stack):
        raise Forbidden(error)
    if warning := missing.warning(stack):
        pulumi.log.warn(warning)


def _require_owner(props: Props) -> Props:
    """Check again what may have changed since `check`: the cluster that the kubeconfig reaches, and, with a stack that
    only warns of an unreachable cluster, its owner. Returns the outputs; raises :class:`ClusterOwned`.
    """
    with one_clean_error(ClusterOwned):
        reached, before = _reached(props), Identity(*(props.get(key) or "" for key in IDENTITY))
        if other := other_cluster(reached, before, props.get("declaredUid") or ""):
            raise ClusterOwned(other)
        if props.get("drift") and (owners := _other_owners(props, fresh=True)):
            conflicts = owner_conflicts(_ours(props), props["takeOver"], owners)
            if conflicts:
                raise ClusterOwned("\n".join(conflicts))
    return {**stored(props), "uid": reached.uid or before.uid}


def _reached(props: Props) -> Identity:
    """One request. Without the right to it, nothing is known and a warning says so."""
    try:
        return read_identity(Cluster(props["cluster"]))
    except Forbidden as exc:
        pulumi.log.warn(unchecked(exc))
        return Identity()


def _ours(props: Props) -> Owner:
    ours = Owner.parse(props["owner"])
    assert ours is not None, "`check` wrote it"
    return ours


def _other_owners(props: Props, fresh: bool = False) -> dict[Owner, str]:
    """As :func:`~mig_fleet.observed.owners.cluster_owner.other_owners`; one more LIST if the layout file has no record,
    as in the first preview of a stack.
    """
    is_dra = bool(props.get("draNamespace"))  # the waves share the snapshot
    nodes = observe(props["cluster"], props["reportsNamespace"], fresh, is_dra).nodes.values()
    cluster = Cluster(props["cluster"])
    config_map = cluster.config_map(props["namespace"], labels.LAYOUTS_CONFIG_MAP)
    elsewhere: dict[str, Owner] = {}
    if file_owner(config_map) is None:
        try:
            elsewhere = other_file_owners(cluster, props["namespace"])
        except Forbidden as exc:
            pulumi.log.warn(
                f"whether another stack owns the cluster from another namespace was not checked: {exc}; grant the "
                "right to list configmaps in all namespaces"
            )
    return other_owners(_ours(props), config_map, nodes, elsewhere)
