"""Assignment: the label that tells MIG Manager what to do, on one wave's nodes. Its path and class names are state.

Pulumi stores the provider by module path and class name, and loads it from the *old* state on destroy: never move or
rename either. The provider keeps no attributes, because they would be stored too.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any, NotRequired

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
from components.comparison import Kind
from components.drift import address, checked, lasting, reports_of
from components.look import Look, Node, look
from components.rollout.change import recut, reopen
from components.rollout.disruption import foreseen
from components.rollout.holders import holders
from components.rollout.order import POLL_S, Order, WaveArgs
from mig import labels

Props = dict[str, Any]
MARKS_REMOVED = {labels.WAVE: None, labels.PREVIOUS_CONFIG: None, labels.ATTEMPT: None, labels.VERIFIED_CONFIG: None}
RETAIN, DISABLE, RESTORE = "retain", "disable", "restore"


class AssignmentFailed(CleanError):
    """Some nodes could not be given their config; the message names each and why."""


class AssignmentArgs(WaveArgs):
    """One wave's wish."""

    config: str
    """The config name that the nodes shall carry."""
    on_delete: NotRequired[str]
    """``retain`` the label (default), ``disable`` MIG, or ``restore`` the config from before our first write."""


class AssignmentProvider(ResourceProvider):
    """Writes `nvidia.com/mig.config`; every step may be repeated, and a node that is right is left alone."""

    serialize_as_secret_always = False

    def check(self, olds: Props, news: Props) -> CheckResult:
        """Called for every wave in each preview and each up. Adds ``drift`` when someone else changed a label, and what
        a planned change will do to whom.
        """
        return checked(olds, news, _wish, lambda wave: relabelled(_look(wave), wave), _foreseen)

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
    """Give the nodes that differ their config, and mark all as this wave's own; returns the outputs."""
    if props.get("held"):
        return lasting(props)
    with one_clean_error(AssignmentFailed):
        order = Order.of(props)
        seen = order.look()
        marks = {name: _marks(seen.nodes.get(name), props) for name in sorted(props["nodes"])}
        differing = [name for name in marks if name not in seen.nodes or seen.nodes[name].config != props["config"]]
        recut(order, dict.fromkeys(differing, str(props["config"])), marks)
        unmarked = [name for name in marks if name not in differing and not _carries(seen.nodes[name], marks[name])]
        _, failed = order.each(unmarked, lambda cluster, name: cluster.patch_node(name, {}, marks[name]))
        if failed:
            raise AssignmentFailed("; ".join(f"{name}: {text}" for name, text in sorted(failed.items())))
    return lasting(props)


def release(props: Props, names: Iterable[str]) -> None:
    """What the delete policy says, for those of the nodes that are still this wave's own; safe to repeat."""
    if props.get("held"):
        return
    with one_clean_error(AssignmentFailed):
        order = Order.of(props)
        seen = order.look()
        own = {
            name: seen.nodes[name]
            for name in sorted(names)
            if name in seen.nodes and seen.nodes[name].annotations.get(labels.WAVE) == props["wave"]
        }
        targets = {name: target for name, node in own.items() if (target := _target(node, props)) is not None}
        recut(order, {n: t for n, t in targets.items() if own[n].config == props["config"] != t}, {})
        _settled(order, targets)
        failed = reopen(order, [name for name in own if own[name].closed or name in targets])
        failed |= order.each(own, lambda cluster, name: cluster.patch_node(name, {}, MARKS_REMOVED))[1]
        if failed:
            raise AssignmentFailed("; ".join(f"{name}: {text}" for name, text in sorted(failed.items())))


def _marks(node: Node | None, props: Props) -> dict[str, str | None]:
    before = node.annotations.get(labels.PREVIOUS_CONFIG, node.config) if node else ""
    return {labels.WAVE: props["wave"], labels.PREVIOUS_CONFIG: before}


def _carries(node: Node, marks: Mapping[str, str | None]) -> bool:
    return all(node.annotations.get(key) == value for key, value in marks.items())


def _target(node: Node, props: Props) -> str | None:
    """The config to leave behind; ``None`` leaves the node as it is, as does a label that somebody else changed."""
    previous = node.annotations.get(labels.PREVIOUS_CONFIG) or labels.ALL_DISABLED
    target = {DISABLE: labels.ALL_DISABLED, RESTORE: previous}.get(props["on_delete"])
    return target if node.config in (props["config"], target) else None


def _settled(order: Order, targets: Mapping[str, str]) -> None:
    """Deleting goes on to remove MIG Manager itself, so let it finish first."""
    while True:
        nodes = order.look().nodes
        waiting = sorted(n for n in targets if n in nodes and nodes[n].state != "success")
        if not waiting:
            return
        if any(nodes[n].state == "failed" for n in waiting) or order.late:
            raise AssignmentFailed(
                f"MIG Manager did not bring {', '.join(waiting)} to {targets[waiting[0]]!r}; look at its log there: "
                f"kubectl -n {order.namespace} logs -l app=nvidia-mig-manager"
            )
        order.say(f"waits for {len(waiting)} node(s) to be {targets[waiting[0]]!r}: {waiting[0]}")
        time.sleep(POLL_S)


def _look(props: Mapping[str, Any]) -> Look:
    return look(props["cluster"], reports_of(props))


def _foreseen(props: Props) -> dict[str, list[str]]:
    """Whom a planned change disturbs; pods are asked for only when there is one."""
    order, seen = Order.of(props), _look(props)
    if all(name in seen.nodes and seen.nodes[name].config == props["config"] for name in props["nodes"]):
        return {}
    return foreseen(seen, holders(order.cluster().pods(), order.namespace), props["nodes"], props["expected"])


def _wish(props: Mapping[str, Any]) -> tuple[Any, ...]:
    how = tuple(props.get(key) for key in ("on_delete", "on_user_pods", "isolation"))
    return *address(props), props.get("config"), sorted(props.get("nodes") or []), how
