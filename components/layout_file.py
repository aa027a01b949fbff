"""The mig-parted file in the cluster, in place and never too small. This module's path and class names are state.

A plain ConfigMap resource would drop a changed layout's old name while nodes still carry it. MIG Manager re-applies the
label whenever its pod starts (mig-parted main.go, AddFunc), so a node that was not reached yet would end in `failed`.
Here a config stays until the update after the last node left it.

Pulumi stores the provider by module path and class name, and loads it from the *old* state on destroy: never move or
rename either. The provider keeps no attributes, because they would be stored too.
"""

from typing import Any, NotRequired, TypedDict

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
from mig_fleet.components.preview import unseen
from mig_fleet.failures import CleanError, one_clean_error
from mig_fleet.model import labels
from mig_fleet.observed.layout_file import Configs, configs_of, edits, needed_configs, superfluous, union
from mig_fleet.observed.snapshot import look
from mig_fleet.rollout.wave import reports_of

Props = dict[str, Any]


class LayoutFileFailed(CleanError):
    """The file could not be written; the message says why."""


class LayoutFileArgs(TypedDict):
    """Where the file lies and what it must hold at least."""

    cluster: ClusterArgs
    namespace: pulumi.Input[str]
    reports: NotRequired[str]
    """Where the probes write their reports, so that the look at the nodes is the one that the waves share."""
    file: str
    """The stack's layouts, as :func:`mig_fleet.model.parted.dump` writes them."""


class LayoutFileProvider(ResourceProvider):
    """Writes the ConfigMap as the union of the stack's configs and those that nodes still carry."""

    serialize_as_secret_always = False

    def check(self, olds: Props, news: Props) -> CheckResult:
        """Called in each preview and each up. Adds ``drift`` for edits of others, ``prunes`` for names nobody needs."""
        news = {key: value for key, value in news.items() if key not in ("drift", "prunes")}
        if pulumi.runtime.rpc.contains_unknowns(news) or not olds:
            return CheckResult(news, [])
        try:
            live, carried = _seen(news)
        except ClusterError as exc:
            return unseen(news, labels.LAYOUTS_CONFIG_MAP, exc)
        found = {"prunes": superfluous(news["file"], live or {}, carried)}
        if olds.get("file") == news["file"]:
            found["drift"] = edits(news["file"], live)
        return CheckResult({**news, **{key: value for key, value in found.items() if value}}, [])

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """An update when the stack's layouts differ or `check` found something; a replacement in another namespace."""
        moved = olds["namespace"] != news["namespace"]
        return DiffResult(
            changes=any(olds.get(key) != news.get(key) for key in ("cluster", "namespace", "file"))
            or bool(news.get("drift") or news.get("prunes")),
            replaces=["namespace"] if moved else [],
        )

    def create(self, props: Props) -> CreateResult:
        return CreateResult(f"{props['namespace']}/{labels.LAYOUTS_CONFIG_MAP}", write(props))

    def update(self, _id: str, _olds: Props, news: Props) -> UpdateResult:
        return UpdateResult(write(news))

    def delete(self, _id: str, props: Props) -> None:
        with one_clean_error(LayoutFileFailed):
            Cluster(props["cluster"]).delete_config_map(props["namespace"], labels.LAYOUTS_CONFIG_MAP)


class LayoutFile(Resource, module="mig", name="LayoutFile"):
    """The ConfigMap that MIG Manager reads."""

    def __init__(self, name: str, args: LayoutFileArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(LayoutFileProvider(), name, dict(args), opts)


def write(props: Props) -> Props:
    """Merge and write; returns the outputs."""
    with one_clean_error(LayoutFileFailed):
        live, carried = _seen(props, fresh=True)
        text = union(props["file"], live or {}, carried)
        Cluster(props["cluster"]).write_config_map(
            props["namespace"], labels.LAYOUTS_CONFIG_MAP, {labels.LAYOUTS_KEY: text}
        )
        return {key: value for key, value in props.items() if key not in ("drift", "prunes")}


def _seen(props: Props, fresh: bool = False) -> tuple[Configs | None, set[str]]:
    """The live configs (``None``: no file), and the config names that nodes carry."""
    nodes = look(props["cluster"], reports_of(props), fresh).nodes.values()
    found = Cluster(props["cluster"]).config_map(props["namespace"], labels.LAYOUTS_CONFIG_MAP)
    return configs_of(found), {name for node in nodes for name in needed_configs(node)}
