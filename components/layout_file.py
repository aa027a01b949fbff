"""LayoutFile: the mig-parted file in the cluster. PINNED: this module's path and its class names are state.

A plain ConfigMap resource would drop a changed layout's old name while nodes still carry it, so this file is the union
of the stack's configs and those that nodes need (:mod:`mig_fleet.observed.layout_file`).

Pulumi stores the provider by module path and class name, and loads it from the *old* state on destroy: never move or
rename either. The provider keeps no attributes, because they would be stored too.
"""

from typing import NotRequired, TypedDict

import pulumi
from pulumi.dynamic import (
    CheckResult,
    CreateResult,
    DiffResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from mig_fleet.cluster.client import Cluster, ClusterArgs, ClusterError
from mig_fleet.components.preview import unobserved
from mig_fleet.failures import CleanError, one_clean_error
from mig_fleet.model import labels
from mig_fleet.observed.differences import layout_file_drift
from mig_fleet.observed.layout_file import (
    Configs,
    declared_configs,
    live_configs,
    merge_files,
    needed_configs,
    superfluous,
)
from mig_fleet.observed.snapshot import observe
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


class LayoutFileProvider(ResourceProvider):
    """Writes the ConfigMap as the union of the stack's configs and those that nodes still need."""

    serialize_as_secret_always = False

    def check(self, olds: Props, news: Props) -> CheckResult:
        """Called in each preview and each up. Adds ``drift`` for edits of others, and ``prunedConfigs`` for configs
        that are no longer needed.
        """
        news = stored(news)
        if pulumi.runtime.rpc.contains_unknowns(news) or not olds:
            return CheckResult(news, [])
        try:
            live, needed = _observe(news)
        except ClusterError as exc:
            return unobserved(news, labels.LAYOUTS_CONFIG_MAP, exc)
        found = {"prunedConfigs": superfluous(news["file"], live or {}, needed)}
        if olds.get("file") == news["file"]:
            drift = layout_file_drift(declared_configs(news["file"]), live, labels.LAYOUTS_CONFIG_MAP)
            found["drift"] = [str(difference) for difference in drift]
        return CheckResult({**news, **{key: value for key, value in found.items() if value}}, [])

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """An update if the stack's layouts differ or `check` found something; a replacement in another namespace."""
        moved = olds["namespace"] != news["namespace"]
        return DiffResult(
            changes=any(olds.get(key) != news.get(key) for key in ("cluster", "namespace", "file"))
            or bool(news.get("drift") or news.get("prunedConfigs")),
            replaces=["namespace"] if moved else [],
        )

    def create(self, props: Props) -> CreateResult:
        return CreateResult(f"{props['namespace']}/{labels.LAYOUTS_CONFIG_MAP}", _write(props))

    def update(self, _id: str, _olds: Props, news: Props) -> UpdateResult:
        return UpdateResult(_write(news))

    def delete(self, _id: str, props: Props) -> None:
        with one_clean_error(LayoutFileFailed):
            Cluster(props["cluster"]).delete_config_map(props["namespace"], labels.LAYOUTS_CONFIG_MAP)


class LayoutFile(Resource, module="mig", name="LayoutFile"):
    """The ConfigMap that MIG Manager reads."""

    def __init__(self, name: str, args: LayoutFileArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = {"reportsNamespace" if key == "reports_namespace" else key: value for key, value in args.items()}
        super().__init__(LayoutFileProvider(), name, props, opts)


def _write(props: Props) -> Props:
    """Merge and write; returns the outputs."""
    with one_clean_error(LayoutFileFailed):
        live, needed = _observe(props, fresh=True)
        text = merge_files(props["file"], live or {}, needed)
        Cluster(props["cluster"]).write_config_map(
            props["namespace"], labels.LAYOUTS_CONFIG_MAP, {labels.LAYOUTS_KEY: text}
        )
        return stored(props)


def _observe(props: Props, fresh: bool = False) -> tuple[Configs | None, set[str]]:
    """The live configs (``None``: no file), and the config names that nodes need."""
    reports_namespace = props.get("reportsNamespace") or props["namespace"]
    nodes = observe(props["cluster"], reports_namespace, fresh).nodes.values()
    found = Cluster(props["cluster"]).config_map(props["namespace"], labels.LAYOUTS_CONFIG_MAP)
    return live_configs(found), needed_configs(nodes)
