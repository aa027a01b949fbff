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
from components.connection import ClusterError
from components.drift import address, checked, lasting, reports_of
from components.look import Look, Node, look
from components.rollout.change import Marks, claim, recut
from components.rollout.closing import how_to_open
from components.rollout.disruption import foreseen
from components.rollout.holders import holders
from components.rollout.order import POLL_S, Order, Refused, WaveArgs
from mig import labels

Props = dict[str, Any]
RETAIN, DISABLE, RESTORE = "retain", "disable", "restore"
READ_ONLY = ("staying", "declared")
"""Inputs that only `check` reads."""


class AssignmentFailed(CleanError):
    """Some nodes could not be given their config; the message names each and why."""


class AssignmentArgs(WaveArgs):
    """One wave's wish."""

    config: str
    """The config name that the nodes shall carry."""
    staying: NotRequired[list[str]]
    """The pool's nodes that keep what they offer in this update; read by each preview, and kept in no state."""
    declared: NotRequired[str]
    """Every node of the stack's pools, with blanks between: the SDK is slow at lists (benchmarks/preview.py). Read and
    kept like ``staying``."""
    on_delete: NotRequired[str]
    """``retain`` the label (default), ``disable`` MIG, or ``restore`` the config from before our first write."""


class AssignmentProvider(ResourceProvider):
    """Writes `nvidia.com/mig.config`; every step may be repeated, and a node that is right is left alone."""

    serialize_as_secret_always = False

    def check(self, olds: Props, news: Props) -> CheckResult:
        """Called for every wave in each preview and each up. Adds ``drift`` when someone else changed a label, and what
        a planned change will do to whom.
        """
        staying, declared = news.get("staying") or [], (news.get("declared") or "").split()
        found = checked(
            olds,
            {key: value for key, value in news.items() if key not in READ_ONLY},
            _wish,
            lambda wave: relabelled(_look(wave), wave, declared),
            lambda wave: _foreseen(wave, staying),
        )
        spared = _spared(olds, found, declared)
        return CheckResult({**found.inputs, "spared": spared}, found.failures) if spared else found

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """An update when the wish differs or `check` saw drift; never a replacement, the nodes survive it."""
        return DiffResult(changes=_wish(olds) != _wish(news) or bool(news.get("drift")))

    def create(self, props: Props) -> CreateResult:
        return CreateResult(props["wave"], assign(props))

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        """Nodes that are taken out now are released by a later update: in this one another wave may take them over, and
        cut them only once. Those of an earlier one go first: where they cannot, nothing was cut.
        """
        return UpdateResult(assign(news, olds))

    def delete(self, _id: str, props: Props) -> None:
        """Called when a wave leaves the stack, and on destroy, while MIG Manager still runs."""
        release(props)


class Assignment(Resource, module="mig", name="Assignment"):
    """The nodes of one wave carry one config name."""

    config: pulumi.Output[str]
    nodes: pulumi.Output[list[str]]

    def __init__(self, name: str, args: AssignmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = {"on_delete": RETAIN, "timeout_s": 300, **args}
        super().__init__(AssignmentProvider(), name, dict(props), opts)


def relabelled(seen: Look, props: Mapping[str, Any], declared: Iterable[str] = ()) -> list[str]:
    """A sentence for each node that is gone, carries another wave's mark or another config than we gave it, or was
    taken out of the pool and is not declared elsewhere.
    """
    found = []
    for name in props["nodes"]:
        node = seen.nodes.get(name)
        if node is None:
            found.append(f"{Kind.GONE}: {name} is no longer in the cluster")
        elif node.annotations.get(labels.WAVE) is None:
            found.append(f"{Kind.REPLACED}: {name} is another node of that name, without the marks of our last update")
        elif _is_others(node, props):
            has = f"carries the mark of {node.annotations[labels.WAVE]}"
            found.append(f"{Kind.TAKEN}: {name} {has}, expected that of {props['wave']}")
        elif node.config != props["config"]:
            found.append(
                f"{Kind.RELABELLED}: {name} carries {node.config or 'no config'!r}, expected {props['config']!r}"
            )
    for name, node in _own(seen, props, {*_members(props), *declared}).items():
        if props["on_delete"] != RETAIN:
            waits = f"waits for `onDelete: {props['on_delete']}`"
        elif node.closed:
            waits = "is still closed to new pods"
        else:
            continue
        found.append(f"{Kind.LEFT}: {name} was taken out of the pool and {waits}")
    return sorted(found)


def assign(props: Props, olds: Props | None = None) -> Props:
    """Give the nodes that differ their config, and mark all as this wave's own; returns the outputs.

    Nodes of other waves are taken over first, and stay so when the rest is refused: under `--continue-on-error` the
    wave that they leave goes all the same, and would do to them what its delete policy says. A wave that is held back
    for a later update, or is behind a failed one, does no more than that. ``olds`` is what an update replaces: nodes
    that left before it are released.
    """
    with one_clean_error(AssignmentFailed):
        order = Order.of(props)
        seen = order.look()
        marks = {name: _marks(seen.nodes.get(name), props) for name in _members(props)}
        taken = [name for name in marks if name in seen.nodes and _is_others(seen.nodes[name], props)]
        _mark(order, {name: marks.pop(name) for name in taken})
        stay = {*_members(props), *_members(olds or props), *(props.get("spared") or ())}
        if olds is not None and not props.get("blocked") and (left := _own(seen, props, stay)):
            _let_go(order, left, props)
            order = Order.of(props)
            seen = order.look()
        changing = [] if props.get("held") or props.get("blocked") else sorted(props["nodes"])
        differing = [name for name in changing if not _has(seen, name, props["config"])]
        recut(order, dict.fromkeys(differing, str(props["config"])), marks)
        settled = [name for name in marks if name in seen.nodes and name not in differing]
        unmarked = [name for name in settled if not _carries(seen.nodes[name], marks[name])]
        _mark(order, {name: marks[name] for name in unmarked}, differing)
    return lasting(props)


def release(props: Props) -> None:
    """What the delete policy says, for this wave's own nodes; safe to repeat.

    Whose a node is stands on the node, so that one which another wave has taken over, or which left, is not touched.
    """
    with one_clean_error(AssignmentFailed):
        order = Order.of(props)
        _let_go(order, _own(order.look(), props, ()), props)


def _let_go(order: Order, own: Mapping[str, Node], props: Props) -> None:
    targets = {name: target for name, node in own.items() if (target := _target(node, props)) is not None}
    recut(order, {name: target for name, target in targets.items() if own[name].config != target}, {})
    _settled(order, targets)
    _, failed = order.each(own, lambda cluster, name: cluster.let_go(name, order.wave))
    if failed:
        raise AssignmentFailed("; ".join(f"{name}: {text}" for name, text in sorted(failed.items())))


def _mark(order: Order, marks: Marks, relabelled: Iterable[str] = ()) -> None:
    try:
        claim(order, marks)
    except Refused as exc:
        names = ", ".join(relabelled)
        state = f"relabelled and closed to new pods: {names}" if names else "no node was relabelled"
        raise AssignmentFailed(f"{exc}\n{state}\nRun the update again to go on") from None


def _members(props: Mapping[str, Any]) -> list[str]:
    """The wave's nodes, and those that `check` found to join it while it waits."""
    return sorted({*props["nodes"], *(props.get("joining") or ())})


def _own(seen: Look, props: Mapping[str, Any], stay: Iterable[str]) -> dict[str, Node]:
    """The nodes that carry this wave's mark, but those that stay."""
    kept = set(stay)
    marked = (node for node in seen.nodes.values() if node.annotations.get(labels.WAVE) == props["wave"])
    return {node.name: node for node in sorted(marked, key=lambda node: node.name) if node.name not in kept}


def _is_others(node: Node, props: Mapping[str, Any]) -> bool:
    """Whether another wave has marked the node as its own."""
    return node.annotations.get(labels.WAVE) not in (None, props["wave"])


def _spared(olds: Props, found: CheckResult, declared: Iterable[str]) -> list[str]:
    """Nodes with this wave's mark that another one declares, as after a move that was taken back: an update does not
    release them, whichever of the two waves comes first.
    """
    props, others = found.inputs, set(declared)
    if not olds or not others or found.failures or pulumi.runtime.rpc.contains_unknowns(props):
        return []
    try:
        return sorted(others & _own(_look(props), props, {*_members(props), *_members(olds)}).keys())
    except ClusterError:
        return []


def _has(seen: Look, name: str, config: str) -> bool:
    return name in seen.nodes and seen.nodes[name].config == config


def _marks(node: Node | None, props: Props) -> dict[str, str | None]:
    before = node.annotations.get(labels.PREVIOUS_CONFIG, node.config) if node else ""
    return {labels.WAVE: props["wave"], labels.PREVIOUS_CONFIG: before}


def _carries(node: Node, marks: Mapping[str, str | None]) -> bool:
    return all(node.annotations.get(key) == value for key, value in marks.items())


def _target(node: Node, props: Props) -> str | None:
    """The config to leave behind; ``None`` leaves the node as it is, as does a label that somebody else changed."""
    previous = node.annotations.get(labels.PREVIOUS_CONFIG) or labels.ALL_DISABLED
    target = {DISABLE: labels.ALL_DISABLED, RESTORE: previous}.get(props["on_delete"])
    given = (props["config"], node.annotations.get(labels.VERIFIED_CONFIG), target)
    return target if node.config in given else None


def _settled(order: Order, targets: Mapping[str, str]) -> None:
    """Deleting goes on to remove MIG Manager itself, so let it finish first."""
    while True:
        nodes = order.look().nodes
        waiting = sorted(n for n in targets if n in nodes and nodes[n].state != "success")
        if not waiting:
            return
        failed = [n for n in waiting if nodes[n].state == "failed"]
        if failed or order.late:
            names = ", ".join(failed or waiting)
            closed = [nodes[n] for n in sorted(targets) if n in nodes and nodes[n].closed]
            way_out = f"; still closed, open with `{how_to_open(closed)}`" if closed else ""
            raise AssignmentFailed(
                f"MIG Manager did not bring {names} to {targets[(failed or waiting)[0]]!r}; look at its log there: "
                f"kubectl -n {order.namespace} logs -l app=nvidia-mig-manager{way_out}"
            )
        order.say(f"waits for {len(waiting)} node(s) to be {targets[waiting[0]]!r}: {waiting[0]}")
        time.sleep(POLL_S)


def _look(props: Mapping[str, Any]) -> Look:
    return look(props["cluster"], reports_of(props))


def _foreseen(props: Props, staying: Iterable[str]) -> dict[str, list[str]]:
    """Whom a planned change disturbs; pods are asked for only when there is one."""
    order, seen = Order.of(props), _look(props)
    if all(name in seen.nodes and seen.nodes[name].config == props["config"] for name in props["nodes"]):
        return {}
    held = holders(order.cluster().pods(), order.namespace)
    return foreseen(seen, held, props["nodes"], props["expected"], staying)


def _wish(props: Mapping[str, Any]) -> tuple[Any, ...]:
    how = tuple(props.get(key) for key in ("on_delete", "on_user_pods", "isolation"))
    joining = sorted(props.get("joining") or [])
    return *address(props), props.get("config"), sorted(props.get("nodes") or []), joining, how
