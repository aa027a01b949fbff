"""LayoutFile: the mig-parted file in the cluster. PINNED: this module's path and its class names are state.

A plain ConfigMap resource would drop a changed layout's old name while nodes still carry it, so this file is the union
of the stack's configs and those that nodes need (:mod:`mig_fleet.observed.configs.layout_file`). What it has beyond the
stack's own is its output ``carried``, for the rules of :mod:`mig_fleet.monitoring`.

Pulumi stores the provider by module path and class name, and loads it from the *old* state on destroy: never move or
rename either. The provider keeps no attributes, because they would be stored too.
"""

from typing import NotRequired, TypedDict

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, UpdateResult

from mig_fleet.cluster.client import Cluster, ClusterArgs, ClusterError, Json
from mig_fleet.cluster.errors import NotFound
from mig_fleet.components.connection_identity import connection_identity, with_newest_credentials
from mig_fleet.components.preview import has_new_owner, unknown_cluster, unobserved, with_known_owner
from mig_fleet.components.provider import Provider
from mig_fleet.components.resource import Resource
from mig_fleet.failures import CleanError, one_clean_error
from mig_fleet.model import labels
from mig_fleet.observed.configs.carried import CarriedConfigs, carried_configs
from mig_fleet.observed.configs.layout_file import (
    config_changes,
    declared_configs,
    dump_configs,
    live_configs,
    merge_files,
    needed_configs,
    sound_configs,
    superfluous,
)
from mig_fleet.observed.configs.layout_file_drift import carried_config_drift, file_owner_drift, layout_file_drift
from mig_fleet.observed.configs.outdated import outdated_configs
from mig_fleet.observed.configs.sources import read_sources
from mig_fleet.observed.installed.existing_objects import foreign_layout_file
from mig_fleet.observed.installed.operator_namespace import misplaced_operator
from mig_fleet.observed.owners.cluster_owner import file_owner, not_ours
from mig_fleet.observed.snapshot import Node, observe
from mig_fleet.rollout.wave import Props, stored


class LayoutFileFailed(CleanError):
    """The file could not be written; the message gives the reason."""


class LayoutFileArgs(TypedDict):
    """Where the file is, and what it must hold at least."""

    cluster: ClusterArgs
    namespace: pulumi.Input[str]
    """Where MIG Manager runs."""
    reports_namespace: NotRequired[str]
    """Where the probes write their reports (default: ``namespace``); the waves share the snapshot."""
    file: str
    """The stack's layouts, as :func:`mig_fleet.model.parted.dump` writes them."""
    operator_managed: NotRequired[bool]
    """Whether this program installs the operator (default: yes); if not, a preview notes what MIG Manager reads."""
    owner: NotRequired[pulumi.Input[str]]
    """The stack that owns the cluster: the output of :class:`~mig_fleet.components.owner.ClusterOwner`."""
    uid: NotRequired[pulumi.Input[str]]
    """The cluster; the output of the same resource (default: any cluster)."""
    take_over: NotRequired[str | None]
    """The stack whose cluster is taken over on purpose."""
    declared_nodes: NotRequired[pulumi.Input[str]]
    """The nodes of all pools of the stack, separated by blanks; only `check` reads it, and it is not stored."""


class LayoutFileProvider(Provider):
    """Writes the ConfigMap as the union of the stack's configs and those that nodes still need."""

    def check(self, olds: Props, news: Props) -> CheckResult:
        """Called in each preview and each up. Adds ``drift`` for edits of others, ``plannedChanges`` of the stack's own
        configs, ``prunedConfigs`` that are no longer needed, and nodes that we isolated and no wave owns; these also as
        warnings: without a diff Pulumi shows no inputs.
        """
        declared = news.get("declaredNodes")
        news = {key: value for key, value in stored(news).items() if key != "declaredNodes"}
        if "carried" in olds:  # until the cluster is read
            news["carried"] = olds["carried"]
        if unread := unknown_cluster(news):
            return unread
        if pulumi.runtime.rpc.contains_unknowns(with_known_owner(news, olds)):
            return CheckResult(news, [])
        try:
            config_map, nodes = _observe(news)
            carried = _carried(news, config_map, nodes)
            misplaced = _check_operator(news)
        except ClusterError as exc:
            return unobserved(news, labels.LAYOUTS_CONFIG_MAP, exc)
        if not olds and (foreign := foreign_layout_file(config_map, news["namespace"])):
            return CheckResult(news, [CheckFailure("", foreign)])
        if misplaced and olds.get("namespace") != news["namespace"]:
            return CheckResult(news, [CheckFailure("", misplaced)])
        if misplaced:
            pulumi.log.warn(misplaced)
        owner, abandoned = with_known_owner(news, olds).get("owner") or "", _abandoned(nodes)
        left = [*_given_back(nodes, declared, owner), *abandoned.get("unfinishedNodes", ())]
        for problem in [*carried.problems(), *outdated_configs(carried.entries, nodes), *left]:
            pulumi.log.warn(problem)
        news = {**news, "carried": dump_configs(carried.entries), **abandoned}
        if not olds:
            return CheckResult(news, [])
        live = live_configs(config_map)
        found = {"prunedConfigs": superfluous(news["file"], live or {}, needed_configs(nodes))}
        if olds.get("file") != news["file"]:
            found["plannedChanges"] = config_changes(olds["file"], news["file"])
        else:
            drift = layout_file_drift(declared_configs(news["file"]), live, labels.LAYOUTS_CONFIG_MAP)
            drift += carried_config_drift(carried.entries, config_map, {node.config for node in nodes})
            found["drift"] = [str(difference) for difference in [*drift, *file_owner_drift(owner, config_map)]]
        return CheckResult({**news, **{key: value for key, value in found.items() if value}}, [])

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """An update if the configs of the file differ or `check` found something; a replacement in another namespace.
        The first one after a release without ``carried`` adds it.
        """
        moved = olds["namespace"] != news["namespace"]
        return DiffResult(
            changes=any(olds.get(key) != news.get(key) for key in ("namespace", "file", "carried"))
            or connection_identity(olds.get("cluster")) != connection_identity(news.get("cluster"))
            or has_new_owner(olds, news)
            or bool(news.get("drift") or news.get("prunedConfigs")),
            replaces=["namespace"] if moved else [],
        )

    def create(self, props: Props) -> CreateResult:
        return CreateResult(f"{props['namespace']}/{labels.LAYOUTS_CONFIG_MAP}", _write(props))

    def update(self, _id: str, _olds: Props, news: Props) -> UpdateResult:
        return UpdateResult(_write(news))

    def delete(self, _id: str, props: Props) -> None:
        """The ConfigMap stays if MIG Manager belongs to another owner and reads it: a new pod could not start without
        it, and would set nodes with a config that it does not have to `failed`.
        """
        with one_clean_error(LayoutFileFailed):
            from mig_fleet.rollout.layout_file import leave
            from mig_fleet.rollout.manager_file import reads_ours
            from mig_fleet.rollout.owner import release_left_nodes, require_cluster, require_cluster_owner

            props = with_newest_credentials(props)
            cluster, namespace = Cluster(props["cluster"]), props["namespace"]
            require_cluster(cluster, props.get("uid") or "", props.get("owner") or "")
            require_cluster_owner(cluster, namespace, props.get("owner") or "")
            release_left_nodes(cluster, props.get("owner") or "")
            if not props.get("operatorManaged", True) and reads_ours(cluster, namespace):
                leave(cluster, namespace)
            else:
                cluster.delete_config_map(namespace, labels.LAYOUTS_CONFIG_MAP)


class LayoutFile(Resource, module="mig", name="LayoutFile"):
    """The ConfigMap that MIG Manager reads."""

    carried: pulumi.Output[str | None]
    """The configs in it that the stack does not declare, as
    :func:`~mig_fleet.observed.configs.layout_file.dump_configs` writes them; None if the cluster was not read since a
    release without it."""

    def __init__(self, name: str, args: LayoutFileArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        names = {
            "reports_namespace": "reportsNamespace",
            "operator_managed": "operatorManaged",
            "take_over": "takeOver",
            "declared_nodes": "declaredNodes",
        }
        props = {names.get(key, key): value for key, value in args.items()} | {"carried": None}
        super().__init__(LayoutFileProvider(), name, props, opts)


def _write(props: Props) -> Props:
    """Merge and write; returns the outputs."""
    with one_clean_error(LayoutFileFailed):
        from mig_fleet.rollout.owner import require_cluster, take_over_elsewhere

        require_cluster(Cluster(props["cluster"]), props.get("uid") or "", props.get("owner") or "")
        config_map, nodes = _observe(props, fresh=True)
        if reason := not_ours(props.get("owner") or "", config_map, props.get("takeOver") or ""):
            raise LayoutFileFailed(reason)
        carried = _carried(props, config_map, nodes, every=True).entries
        text = merge_files(props["file"], carried)
        owner = {labels.OWNER: props["owner"]} if props.get("owner") else {}
        if owner and props.get("takeOver") and file_owner(config_map) is None:
            take_over_elsewhere(Cluster(props["cluster"]), props["namespace"], props["owner"], props["takeOver"])
        try:
            Cluster(props["cluster"]).write_config_map(
                props["namespace"], labels.LAYOUTS_CONFIG_MAP, {labels.LAYOUTS_KEY: text}, owner
            )
        except NotFound:
            from mig_fleet.rollout.layout_file import without_namespace

            is_ours = props.get("operatorManaged") is not False
            raise LayoutFileFailed(without_namespace(props["namespace"], is_ours)) from None
        return {**stored(props), "carried": dump_configs(carried)}


def _abandoned(nodes: list[Node]) -> Props:
    """``unfinishedNodes``: nodes that we isolated and that no wave owns any more, so no wave's check names them."""
    if not any(node.isolated and labels.WAVE not in node.annotations for node in nodes):
        return {}
    from mig_fleet.rollout.unfinished import abandoned_nodes

    lines = abandoned_nodes(nodes)
    return {"unfinishedNodes": lines} if lines else {}


def _given_back(nodes: list[Node], declared: str | None, owner: str) -> list[str]:
    """Warnings about nodes that no pool declares any more: the deletion of their wave calls no check."""
    if declared is None or not any(node.isolated or node.state == "failed" for node in nodes):
        return []
    from mig_fleet.rollout.unfinished import undeclared_nodes

    return undeclared_nodes(nodes, declared.split(), owner)


def _observe(props: Props, fresh: bool = False) -> tuple[Json | None, list[Node]]:
    """The live ConfigMap (``None``: it does not exist), and the nodes."""
    reports_namespace = props.get("reportsNamespace") or props["namespace"]
    nodes = observe(props["cluster"], reports_namespace, fresh).nodes.values()
    return Cluster(props["cluster"]).config_map(props["namespace"], labels.LAYOUTS_CONFIG_MAP), list(nodes)


def _carried(props: Props, config_map: Json | None, nodes: list[Node], every: bool = False) -> CarriedConfigs:
    """The configs that nodes carry, or with ``every`` need, and the stack does not declare."""
    declared, live = declared_configs(props["file"]), sound_configs(config_map)
    cluster = Cluster(props["cluster"])
    sources = read_sources(cluster, props["namespace"], nodes, declared, live, every)
    return carried_configs(nodes, declared, sources)


def _check_operator(props: Props) -> str:
    """Where this program does not install the operator: why it is not in the namespace of the settings, empty if it is;
    a note in the preview if MIG Manager reads another file.
    """
    if props.get("operatorManaged") is not False:
        return ""
    from mig_fleet.rollout.manager_file import manager_pods, note

    cluster, namespace = Cluster(props["cluster"]), props["namespace"]
    if not (pods := manager_pods(cluster, namespace)):
        return misplaced_operator(cluster, namespace)
    if text := note(cluster, namespace, pods):
        pulumi.log.info(text)
    return ""
