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
from components.drift import address, checked, lasting, reports_of
from components.errors import ClusterError
from components.look import Look, Node, look
from components.ownership import DISABLE, RESTORE, RETAIN, is_others, members, own, relabelled, spared, taken
from components.rollout.change import Marks, claim, recut
from components.rollout.closing import how_to_open
from components.rollout.disruption import foreseen
from components.rollout.holders import holders
from components.rollout.order import POLL_S, Order, Refused, WaveArgs
from mig import labels

Props = dict[str, Any]
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
    """Every node of the stack's pools, with blanks between: one text, because each wave is told. Read and kept like
    ``staying``."""
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
        try:
            return CheckResult({**found.inputs, **_disputed(olds, news, found.inputs)}, found.failures)
        except ClusterError:
            return found

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
        marks = {name: _marks(seen.nodes.get(name), props) for name in members(props)}
        others = [name for name in marks if name in seen.nodes and is_others(seen.nodes[name], props)]
        _mark(order, {name: marks.pop(name) for name in others})
        stay = {*members(props), *members(olds or props), *(props.get("spared") or ())}
        if olds is not None and not props.get("blocked") and (left := own(seen, props, stay)):
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
        _let_go(order, own(order.look(), props, ()), props)


def _let_go(order: Order, left: Mapping[str, Node], props: Props) -> None:
    targets = {name: target for name, node in left.items() if (target := _target(node, props)) is not None}
    recut(order, {name: target for name, target in targets.items() if left[name].config != target}, {})
    _settled(order, targets)
    _, failed = order.each(left, lambda cluster, name: cluster.let_go(name, order.wave))
    if failed:
        raise AssignmentFailed("; ".join(f"{name}: {text}" for name, text in sorted(failed.items())))


def _mark(order: Order, marks: Marks, done: Iterable[str] = ()) -> None:
    try:
        claim(order, marks)
    except Refused as exc:
        names = ", ".join(done)
        state = f"relabelled and closed to new pods: {names}" if names else "no node was relabelled"
        raise AssignmentFailed(f"{exc}\n{state}\nRun the update again to go on") from None


def _disputed(olds: Props, news: Props, props: Props) -> Props:
    """What is to be known of nodes whose mark is not that of the wave which declares them (`components.ownership`).

    A wave that waits takes its own back even where nothing else makes it an update: the wave that has them may be
    deleted in this one.
    """
    if not olds or pulumi.runtime.rpc.contains_unknowns(props):
        return {}
    waits = bool(news.get("held")) or news.get("blocked") is True
    if waits and "drift" not in props and _wish(olds) == _wish(props):
        lines = taken(_look(props), props, news["nodes"])
        return {"drift": lines, "blocked": True} if lines else {}
    declared = (news.get("declared") or "").split()
    names = spared(_look(props), props, olds, declared) if declared else []
    return {"spared": names} if names else {}


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
