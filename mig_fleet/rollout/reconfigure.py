"""The one way in which a node is given a config: close it, empty it, let its manager see the file, label it.

Assignment, release and rollback all come here. Until the label is written nothing has changed on the GPUs, so a failure
before opens what was closed; a failure after leaves the nodes closed and says so.
"""

import time
from collections.abc import Iterable, Mapping

from mig_fleet.cluster.client import ClusterError
from mig_fleet.failures import Refused
from mig_fleet.model import labels
from mig_fleet.observed.snapshot import Look
from mig_fleet.rollout.context import POLL_S, Order
from mig_fleet.rollout.drain import drain
from mig_fleet.rollout.isolation import close, how_to_open, reopen, told
from mig_fleet.rollout.preflight import problems
from mig_fleet.rollout.propagation import await_projection

Marks = Mapping[str, Mapping[str, str | None]]
"""Node → annotations that make it a wave's own."""


def recut(order: Order, targets: Mapping[str, str], marks: Marks) -> None:
    """Give each node its target config; raises :class:`Refused` with all reasons, and what state the nodes are in."""
    if not targets:
        return
    before = order.look()
    found = problems(order, before, order.cluster().pods(), targets)
    if found:
        raise Refused(
            "\n".join(["nothing was changed:", *(f"  {reason}" for reason in found), *_as_before(before, targets)])
        )
    newly = [name for name in sorted(targets) if not before.nodes[name].closed]
    try:
        claim(order, {name: marks[name] for name in targets if name in marks})
        close(order, newly)
        evicted = drain(order, targets)
        if evicted:
            order.say(f"evicted {', '.join(evicted)}")
        _settled(order, targets)
        await_projection(order, targets)
        seen = order.look()
    except (ClusterError, Refused) as exc:
        raise Refused(f"no node was relabelled: {exc}\n{_reopened(order, before, targets)}") from None
    _label(order, seen, targets, marks)


def claim(order: Order, marks: Marks) -> None:
    """Mark nodes as this wave's own, so that no other one does anything to them any more; raises :class:`Refused`."""
    _, failed = order.each(marks, lambda cluster, name: cluster.patch_node(name, {}, marks[name]))
    if failed:
        raise Refused("; ".join(f"{name} could not be marked: {text}" for name, text in sorted(failed.items())))


def _reopened(order: Order, before: Look, nodes: Iterable[str]) -> str:
    """Opens those that were open before; which those are, and which stay closed, with the commands."""
    opened, failed = reopen(order, [name for name in nodes if not before.nodes[name].closed])
    lines = [told(opened)] if opened and not failed else []
    if failed:
        way_out = how_to_open((before.nodes[name] for name in failed), order.isolation)
        lines = [f"still closed: {', '.join(sorted(failed))}" + (f"; open with `{way_out}`" if way_out else "")]
    return "\n".join([*lines, *_as_before(before, nodes)])


def _as_before(seen: Look, nodes: Iterable[str]) -> list[str]:
    """A line about those that were closed already, as after an update that failed."""
    closed = [seen.nodes[name] for name in sorted(nodes) if name in seen.nodes and seen.nodes[name].closed]
    if not closed:
        return []
    return [f"still closed as before: {', '.join(node.name for node in closed)}; open with `{how_to_open(closed)}`"]


def _settled(order: Order, targets: Mapping[str, str]) -> None:
    """A manager in the middle of another config would report its end as the new one's; a stuck one never ends."""
    since: dict[str, float] = {}
    while True:
        seen, now = order.look(), time.monotonic()
        pending = [n for n in sorted(targets) if n in seen.nodes and seen.nodes[n].state == "pending"]
        working = [n for n in pending if now - since.setdefault(n, now) <= order.wedged_s]
        if not working:
            return
        if order.late:
            raise Refused(
                f"MIG Manager is still at work on {', '.join(working)} after {order.timeout_s:.0f} s; look at its log: "
                f"kubectl -n {order.namespace} logs -l app=nvidia-mig-manager"
            )
        order.say(f"waits for MIG Manager to finish what it does on {working[0]} (and {len(working) - 1} more)")
        time.sleep(POLL_S)


def _label(order: Order, seen: Look, targets: Mapping[str, str], marks: Marks) -> None:
    done, failed = order.each(
        targets,
        lambda cluster, name: cluster.start_attempt(
            name,
            seen.nodes[name].attempt if name in seen.nodes else None,
            {labels.CONFIG: targets[name]},
            marks.get(name, {}),
        ),
    )
    if failed:
        closed = [node for name in sorted(targets) if (node := seen.nodes.get(name)) is not None and node.closed]
        state = f"; closed: {', '.join(node.name for node in closed)}" if closed else ""
        way_out = f", or open them with `{how_to_open(closed)}`" if closed else ""
        reasons = "\n  ".join(f"{name}: {text}" for name, text in sorted(failed.items()))
        raise Refused(
            f"{len(failed)} of {len(targets)} nodes could not be labelled:\n  {reasons}\n"
            f"relabelled: {', '.join(sorted(done)) or 'none'}{state}. Run the update again to go on{way_out}"
        )
