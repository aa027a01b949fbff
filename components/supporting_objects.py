"""SupportingObjects: our own objects in the cluster are watched. PINNED: this module's path and its class names are
state.

Pulumi's Kubernetes provider compares an object with the state and not with the cluster. This resource reads the objects
in each preview, names what other users deleted or changed, and restores it in the next update.

Pulumi stores the provider by module path and class name, and loads it from the *old* state on destroy: never move or
rename either. The provider keeps no attributes, because they would be stored too.
"""

import base64
from collections.abc import Mapping
from typing import Any, Final, NotRequired, TypedDict

import pulumi
from pulumi.dynamic import (
    CheckResult,
    CreateResult,
    DiffResult,
    UpdateResult,
)

from mig_fleet.cluster.client import FIELD_MANAGER, Cluster, ClusterArgs, ClusterError
from mig_fleet.components.cancellation import listen_for_cancel
from mig_fleet.components.connection_identity import connection_identity, with_newest_credentials
from mig_fleet.components.preview import has_new_owner, unknown_cluster, unobserved, warn_once, with_known_owner
from mig_fleet.components.provider import Provider
from mig_fleet.components.resource import Resource
from mig_fleet.failures import one_clean_error
from mig_fleet.model import labels
from mig_fleet.observed.drift import DriftClass
from mig_fleet.observed.owners.identity import REFRESH
from mig_fleet.observed.supporting_objects import Deviation, deviations, parse_manifests, title_of
from mig_fleet.rollout.wave import Props, stored

NAME: Final = "supporting objects"

APPLY_ANNOTATIONS: Final = {"pulumi.com/patchFieldManager": FIELD_MANAGER, "pulumi.com/patchForce": "true"}
"""Pulumi applies our objects under the field manager under which they are restored, and takes fields back that another
user changed (pulumi-kubernetes 4.25.0, provider.go fieldManagerName, await.go patchForce). Without them, the first
update of an object that was restored would fail with a conflict."""

KUBERNETES_TYPES: Final = "kubernetes:"
RELEASE: Final = "kubernetes:helm.sh/"
"""A release is no object of the API server."""


class RecordedObjects:
    """The manifests of the Kubernetes objects that components register, in their order.

    Pass :meth:`record` to the components as a transformation, and :attr:`manifests` to :class:`SupportingObjects`.
    """

    def __init__(self) -> None:
        self.manifests: list[pulumi.Output[str]] = []
        """One JSON text per object, without binary data."""

    def record(self, args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        """Record a Kubernetes object, and let Pulumi apply it as it is restored."""
        if not args.type_.startswith(KUBERNETES_TYPES) or args.type_.startswith(RELEASE):
            return None
        given: Mapping[str, Any] = args.props
        annotations = {**(given["metadata"].get("annotations") or {}), **APPLY_ANNOTATIONS}
        props = {**given, "metadata": {**given["metadata"], "annotations": annotations}}
        manifest = {key: value for key, value in props.items() if key != "binaryData"}
        self.manifests.append(pulumi.Output.json_dumps(manifest))
        return pulumi.ResourceTransformationResult(props=props, opts=args.opts)


class SupportingObjectsArgs(TypedDict):
    """What is watched, and where it is."""

    cluster: ClusterArgs
    namespace: str
    """Where the operator runs."""
    objects: list[pulumi.Output[str]]
    """The manifests of :class:`RecordedObjects`."""
    uid: NotRequired[pulumi.Input[str]]
    """The cluster; the output of :class:`~mig_fleet.components.owner.ClusterOwner` (default: any cluster)."""
    chart_objects: NotRequired[list[pulumi.Input[str]]]
    """Manifests of objects that the operator's chart installs, with only the fields that our values determine."""


class SupportingObjectsProvider(Provider):
    """Compares the objects in each preview; restores them in an update. Its deletion only compares the cluster: Pulumi
    deletes the objects afterwards.
    """

    def check(self, olds: Props, news: Props) -> CheckResult:
        """Called in each preview and each up. Adds ``drift`` for objects that others deleted or changed, and
        ``plannedChanges`` for those that the program changes.
        """
        news = stored(news)
        if unread := unknown_cluster(news):
            return unread
        if pulumi.runtime.rpc.contains_unknowns(with_known_owner(news, olds)) or not olds:
            return CheckResult(news, [])
        manifests = parse_manifests([*news["objects"], *news["chartObjects"]])
        try:
            differing, refused = deviations(Cluster(news["cluster"]), manifests)
        except ClusterError as exc:
            return unobserved(news, NAME, exc)
        for error in refused:
            warn_once(f"{NAME}: {error}; it was not compared (docs/reference/rollout.md lists the rights)")
        before = parse_manifests([*(olds.get("objects") or ()), *(olds.get("chartObjects") or ())])
        found = {
            "drift": [line for each in differing for line in _drift(each, before)],
            "plannedChanges": _declared_changes(before, manifests),
        }
        return CheckResult({**news, **{key: lines for key, lines in found.items() if lines}}, [])

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """An update if other objects are declared or `check` found drift; never a replacement."""
        declared = ("namespace", "objects", "chartObjects")
        changed = any(olds.get(key) != news.get(key) for key in declared) or has_new_owner(olds, news)
        changed = changed or connection_identity(olds.get("cluster")) != connection_identity(news.get("cluster"))
        return DiffResult(changes=changed or bool(news.get("drift")))

    def create(self, props: Props) -> CreateResult:
        listen_for_cancel()
        _restore(props)
        return CreateResult("supporting-objects", stored(props))

    def update(self, _id: str, _olds: Props, news: Props) -> UpdateResult:
        listen_for_cancel()
        _restore(news)
        return UpdateResult(stored(news))

    def delete(self, _id: str, props: Props) -> None:
        """Called before Pulumi deletes the objects, because this resource depends on them."""
        from mig_fleet.rollout.supporting_objects import SupportingObjectsFailed

        with one_clean_error(SupportingObjectsFailed):
            _require_cluster(with_newest_credentials(props))


class SupportingObjects(Resource, module="mig", name="SupportingObjects"):
    """RBAC, DaemonSet, admission policy, namespaces, rules and lists that the stack installs, as they were declared."""

    def __init__(self, name: str, args: SupportingObjectsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = {
            "cluster": args["cluster"],
            "namespace": args["namespace"],
            "uid": args.get("uid", ""),
            "objects": args["objects"],
            "chartObjects": args.get("chart_objects", []),
        }
        super().__init__(SupportingObjectsProvider(), name, props, opts)


def _drift(deviation: Deviation, before: list[dict[str, Any]]) -> list[str]:
    """The lines about an object; empty if it differs because the program changes it in this update."""
    lines = [str(difference) for difference in deviation.differences]
    if deviation.manifest in before:
        return lines
    is_known = title_of(deviation.manifest) in map(title_of, before)
    is_missing = any(difference.drift is DriftClass.OBJECT_MISSING for difference in deviation.differences)
    if not is_known or not is_missing:
        return []
    # Pulumi's own update of the object comes first, and fails because it is missing.
    return [f"{line}, and this update changes it: run {REFRESH}" for line in lines]


def _declared_changes(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[str]:
    """A line per object that this update declares otherwise; what differs is in the diff of the object itself."""
    old, new = ({title_of(each): each for each in manifests} for manifests in (before, after))
    lines = [f"{title} is new" for title in new.keys() - old.keys()]
    lines += [f"{title} is no longer declared" for title in old.keys() - new.keys()]
    lines += [f"{title} is declared otherwise" for title in old.keys() & new.keys() if old[title] != new[title]]
    return sorted(lines)


def _require_cluster(props: Props) -> None:
    from mig_fleet.rollout.owner import require_cluster

    require_cluster(Cluster(props["cluster"]), props.get("uid") or "", "")


def _restore(props: Props) -> None:
    from mig_fleet.rollout.supporting_objects import SupportingObjects as Objects
    from mig_fleet.rollout.supporting_objects import SupportingObjectsFailed, restore

    with one_clean_error(SupportingObjectsFailed):
        _require_cluster(props)
    objects = Objects(
        cluster=props["cluster"],
        namespace=props["namespace"],
        ours=parse_manifests(props["objects"]),
        of_chart=parse_manifests(props["chartObjects"]),
        content=_program,
    )
    restore(objects)


def _program(config_map: str) -> dict[str, str] | None:
    """The probe's program, if a ConfigMap's name has the hash of the one that this version packs."""
    from mig_fleet.components.probe import zipapp
    from mig_fleet.components.probe.component import PROGRAM

    content = zipapp.build()
    if config_map != f"{labels.PROBE}-{zipapp.digest(content)}":
        return None
    return {PROGRAM: base64.b64encode(content).decode()}
