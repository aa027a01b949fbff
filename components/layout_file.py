"""The mig-parted file in the cluster, in place and never too small. This module's path and class names are state.

A plain ConfigMap resource would drop a changed layout's old name while nodes still carry it. MIG Manager re-applies the
label whenever its pod starts (mig-parted main.go, AddFunc), so a node that was not reached yet would end in `failed`.
Here a config stays until the update after the last node left it.

Pulumi stores the provider by module path and class name, and loads it from the *old* state on destroy: never move or
rename either. The provider keeps no attributes, because they would be stored too.
"""

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

import pulumi
import yaml
from pulumi.dynamic import (
    CheckResult,
    CreateResult,
    DiffResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from components.clean_error import CleanError, one_clean_error
from components.cluster import Cluster, ClusterArgs, ClusterError
from components.documents import DocumentError, parse
from components.drift import reports_of, unseen
from components.look import Node, look
from mig import labels

Props = dict[str, Any]
Configs = dict[str, Any]
"""Config name → entries, as parsed YAML."""


class LayoutFileFailed(CleanError):
    """The file could not be written; the message says why."""


class LayoutFileArgs(TypedDict):
    """Where the file lies and what it must hold at least."""

    cluster: ClusterArgs
    namespace: pulumi.Input[str]
    reports: NotRequired[str]
    """Where the probes write their reports, so that the look at the nodes is the one that the waves share."""
    file: str
    """The stack's layouts, as :func:`mig.parted.dump` writes them."""


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


def live_file(config_map: Mapping[str, Any]) -> Any:
    """What others may have edited, as mig-parted reads it; raises :class:`~components.documents.DocumentError`."""
    text: str = (config_map.get("data") or {}).get(labels.LAYOUTS_KEY, "")
    return parse(labels.LAYOUTS_CONFIG_MAP, text.encode()).data


def union(file: str, live: Configs, carried: set[str]) -> str:
    """The stack's file, and behind it those live configs that nodes carry and the stack no longer has."""
    document = yaml.safe_load(file)
    kept = {name: live[name] for name in sorted(live.keys() & carried - document["mig-configs"].keys())}
    if not kept:
        return file
    return file + "".join(_indented(yaml.safe_dump({name: entries}, sort_keys=False)) for name, entries in kept.items())


def superfluous(file: str, live: Configs, carried: set[str]) -> list[str]:
    """Live configs that neither the stack nor a node needs any more."""
    return sorted(live.keys() - yaml.safe_load(file)["mig-configs"].keys() - carried)


def edits(file: str, live: Configs | None) -> list[str]:
    """What others did to the stack's configs, as sentences."""
    if live is None:
        return [f"ConfigMap gone: {labels.LAYOUTS_CONFIG_MAP} is missing or is no mig-parted file"]
    wanted: Configs = yaml.safe_load(file)["mig-configs"]
    return [
        f"ConfigMap edited: config '{name}' {'differs' if name in live else 'is missing'}"
        for name, entries in sorted(wanted.items())
        if live.get(name) != entries
    ]


def _seen(props: Props, fresh: bool = False) -> tuple[Configs | None, set[str]]:
    """The live configs (``None``: no file), and the config names that nodes carry."""
    nodes = look(props["cluster"], reports_of(props), fresh).nodes.values()
    found = Cluster(props["cluster"]).config_map(props["namespace"], labels.LAYOUTS_CONFIG_MAP)
    return _configs(found), {name for node in nodes for name in _needed(node)}


def _needed(node: Node) -> set[str]:
    """What MIG Manager may be told to apply there: now, in a rollback, or when the wave leaves the stack."""
    notes = node.annotations
    return {node.config, notes.get(labels.VERIFIED_CONFIG, ""), notes.get(labels.PREVIOUS_CONFIG, "")}


def _configs(config_map: dict[str, Any] | None) -> Configs | None:
    if config_map is None:
        return None
    try:
        configs = live_file(config_map).get("mig-configs")
    except (DocumentError, AttributeError):
        return None
    # A key that is no text makes mig-parted refuse the file.
    return configs if isinstance(configs, dict) and all(isinstance(name, str) for name in configs) else None


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())
