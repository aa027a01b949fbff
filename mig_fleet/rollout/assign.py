"""Handing nodes over: giving those of one wave their config, and letting go of those that leave it."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from mig_fleet.cluster.errors import ClusterError
from mig_fleet.failures import CleanError, Refused, one_clean_error
from mig_fleet.model import labels
from mig_fleet.observed.ownership import DISABLE, RESTORE, is_others, members, own
from mig_fleet.observed.snapshot import Look, Node
from mig_fleet.rollout.context import POLL_S, Order
from mig_fleet.rollout.convergence import answered
from mig_fleet.rollout.isolation import still_closed
from mig_fleet.rollout.reconfigure import Marks, claim, recut
from mig_fleet.rollout.wave import lasting

Props = dict[str, Any]


class AssignmentFailed(CleanError):
    """Some nodes could not be given their config; the message names each and why."""


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
        reasons = "; ".join(f"{name}: {text}" for name, text in sorted(failed.items()))
        raise AssignmentFailed(f"{reasons}{still_closed(order, failed)}")


def _mark(order: Order, marks: Marks, done: Iterable[str] = ()) -> None:
    try:
        claim(order, marks)
    except Refused as exc:
        names = ", ".join(done)
        state = f"relabelled and closed to new pods: {names}" if names else "no node was relabelled"
        way_out = still_closed(order, done)
        raise AssignmentFailed(f"{exc}\n{state}{way_out}\nRun the update again to go on") from None


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
        try:
            nodes = answered(order.look).nodes
        except ClusterError as exc:
            raise AssignmentFailed(f"{exc}{still_closed(order, targets)}") from None
        waiting = sorted(n for n in targets if n in nodes and nodes[n].state != "success")
        if not waiting:
            return
        failed = [n for n in waiting if nodes[n].state == "failed"]
        if failed or order.late:
            names = ", ".join(f"{name} to {targets[name]!r}" for name in failed or waiting)
            raise AssignmentFailed(
                f"MIG Manager did not bring {names}; look at its log there: "
                f"kubectl -n {order.namespace} logs -l app=nvidia-mig-manager{still_closed(order, targets)}"
            )
        order.say(f"waits for {len(waiting)} node(s) to be {targets[waiting[0]]!r}: {waiting[0]}")
        time.sleep(POLL_S)
