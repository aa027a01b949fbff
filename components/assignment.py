"""Assignment: the label that tells MIG Manager what to do, on one wave's nodes. Its path and class names are state.

Pulumi stores the provider by module path and class name, and loads it from the *old* state on destroy: never move or
rename either. The provider keeps no attributes, because they would be stored too.
"""

import time
from collections.abc import Iterable, Mapping
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

from components.clean_error import CleanError, one_clean_error
from components.cluster import Cluster, ClusterArgs, NodeMissing
from components.comparison import Kind
from components.drift import address, checked, reports_of
from components.look import Look, Node, forget, look
from mig import labels

Props = dict[str, Any]
MARKS_REMOVED = {labels.WAVE: None, labels.PREVIOUS_CONFIG: None, labels.ATTEMPT: None}
RETAIN, DISABLE, RESTORE = "retain", "disable", "restore"


class AssignmentFailed(CleanError):
    """Some nodes could not be given their config; the message names each and why."""


class AssignmentArgs(TypedDict):
    """One wave's wish. Everything is known at preview, so that a reviewer sees it."""

    cluster: ClusterArgs
    namespace: str
    """Where MIG Manager runs."""
    reports: NotRequired[str]
    """Where the probes write their reports (default: ``namespace``)."""
    wave: str
    config: str
    """The config name that the nodes shall carry."""
    nodes: list[str]
    on_delete: NotRequired[str]
    """``retain`` the label (default), ``disable`` MIG, or ``restore`` the config from before our first write."""
    timeout_s: NotRequired[int]


class AssignmentProvider(ResourceProvider):
    """Writes `nvidia.com/mig.config`; every step may be repeated, and a node that is right is left alone."""

    serialize_as_secret_always = False

    def check(self, olds: Props, news: Props) -> CheckResult:
        """Called for every wave in each preview and each up. Adds ``drift`` when someone else changed a label."""
        return checked(olds, news, _wish, lambda wave: relabelled(look(wave["cluster"], reports_of(wave)), wave))

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """An update when the wish differs or `check` saw drift; never a replacement, the nodes survive it."""
        return DiffResult(changes=_wish(olds) != _wish(news) or bool(news.get("drift")))

    def create(self, props: Props) -> CreateResult:
        return CreateResult(props["wave"], assign(props))

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        outputs = assign(news)
        release({**news, "config": olds["config"]}, set(olds["nodes"]) - set(news["nodes"]))
        return UpdateResult(outputs)

    def delete(self, _id: str, props: Props) -> None:
        """Called when a wave leaves the stack, and on destroy, while MIG Manager still runs."""
        release(props, props["nodes"])


class Assignment(Resource, module="mig", name="Assignment"):
    """The nodes of one wave carry one config name."""

    config: pulumi.Output[str]
    nodes: pulumi.Output[list[str]]

    def __init__(self, name: str, args: AssignmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = {"on_delete": RETAIN, "timeout_s": 300, **args}
        super().__init__(AssignmentProvider(), name, dict(props), opts)


def relabelled(seen: Look, props: Mapping[str, Any]) -> list[str]:
    """A sentence for each node that is gone or carries another config than we gave it."""
    found = []
    for name in props["nodes"]:
        node = seen.nodes.get(name)
        if node is None:
            found.append(f"{Kind.GONE}: {name} is no longer in the cluster")
        elif node.annotations.get(labels.WAVE) is None:
            found.append(f"{Kind.REPLACED}: {name} is another node of that name, without the marks of our last update")
        elif node.config != props["config"]:
            found.append(
                f"{Kind.RELABELLED}: {name} carries {node.config or 'no config'!r}, expected {props['config']!r}"
            )
    return sorted(found)


def assign(props: Props) -> Props:
    """Check every node first, then label those that differ; returns the outputs."""
    with one_clean_error(AssignmentFailed):
        cluster = Cluster(props["cluster"])
        seen = look(props["cluster"], reports_of(props), fresh=True)
        problems = [problem for name in sorted(props["nodes"]) for problem in preflight(seen, name)]
        if problems:
            raise AssignmentFailed("nothing was changed:\n  " + "\n  ".join(problems))
        for name in sorted(props["nodes"]):
            node = seen.nodes[name]
            before = node.annotations.get(labels.PREVIOUS_CONFIG, node.config)
            marks = {labels.WAVE: props["wave"], labels.PREVIOUS_CONFIG: before}
            if node.config != props["config"]:
                cluster.start_attempt(name, node.attempt, {labels.CONFIG: props["config"]}, marks)
            elif any(node.annotations.get(key) != value for key, value in marks.items()):
                cluster.patch_node(name, {}, marks)
        forget()
    return {key: value for key, value in props.items() if key != "drift"}


def preflight(seen: Look, name: str) -> list[str]:
    """Why this node cannot be given a config now."""
    node = seen.nodes.get(name)
    if node is None:
        return [str(NodeMissing(name))]
    if node.labels.get(labels.CAPABLE) != "true":
        return [
            f"node '{name}' is not MIG-capable: label {labels.CAPABLE} is "
            f"{node.labels.get(labels.CAPABLE)!r}; is GPU Feature Discovery running there?"
        ]
    if node.state in ("pending", "rebooting"):
        return [f"node '{name}' is being reconfigured to {node.config!r} ({node.state}); wait until it has settled"]
    return []


def release(props: Props, names: Iterable[str]) -> None:
    """What the delete policy says, for those of the nodes that are still this wave's own; safe to repeat."""
    with one_clean_error(AssignmentFailed):
        cluster = Cluster(props["cluster"])
        seen = look(props["cluster"], reports_of(props), fresh=True)
        own = [
            seen.nodes[name]
            for name in sorted(names)
            if name in seen.nodes and seen.nodes[name].annotations.get(labels.WAVE) == props["wave"]
        ]
        targets = {node.name: target for node in own if (target := _target(node, props)) is not None}
        for node in own:
            if node.name in targets and node.config == props["config"] != targets[node.name]:
                cluster.start_attempt(node.name, node.attempt, {labels.CONFIG: targets[node.name]})
        forget()
        _await(props, targets)
        for node in own:
            cluster.patch_node(node.name, {}, MARKS_REMOVED)
        forget()


def _target(node: Node, props: Props) -> str | None:
    """The config to leave behind; ``None`` leaves the node as it is, as does a label that somebody else changed."""
    previous = node.annotations.get(labels.PREVIOUS_CONFIG) or labels.ALL_DISABLED
    target = {DISABLE: labels.ALL_DISABLED, RESTORE: previous}.get(props["on_delete"])
    return target if node.config in (props["config"], target) else None


def _await(props: Props, targets: Mapping[str, str]) -> None:
    """Deleting goes on to remove MIG Manager itself, so let it finish first."""
    deadline = time.monotonic() + float(props["timeout_s"])
    while True:
        nodes = look(props["cluster"], reports_of(props), fresh=True).nodes
        waiting = sorted(n for n in targets if n in nodes and nodes[n].state != "success")
        if not waiting:
            return
        if any(nodes[n].state == "failed" for n in waiting) or time.monotonic() > deadline:
            raise AssignmentFailed(
                f"MIG Manager did not bring {', '.join(waiting)} to {targets[waiting[0]]!r}; look at its log there: "
                f"kubectl -n {props['namespace']} logs -l app=nvidia-mig-manager"
            )
        time.sleep(1)


def _wish(props: Mapping[str, Any]) -> tuple[Any, ...]:
    return *address(props), props.get("config"), sorted(props.get("nodes") or []), props.get("on_delete")
