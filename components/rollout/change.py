"""The one way in which a node is given a config: close it, empty it, let its manager see the file, label it.

Assignment, release and rollback all come here. Until the label is written nothing has changed on the GPUs, so a failure
before opens what was closed; a failure after leaves the nodes closed and says so.
"""

import time
from collections.abc import Mapping

from components.cluster import ClusterError
from components.look import Look
from components.rollout.barrier import await_projection
from components.rollout.closing import close, how_to_open, reopen, told
from components.rollout.drain import drain
from components.rollout.order import POLL_S, Order, Refused
from components.rollout.preflight import problems
from mig import labels

WEDGED_S = 1800.0
"""A `pending` that is older is not worked on any more: MIG Manager waits five minutes for each of at most five operands
before it touches a GPU (mig-parted v0.15.0 reconfigure.go), and takes a new label value in any case."""

Marks = Mapping[str, Mapping[str, str | None]]
"""Node → annotations that make it a wave's own."""


def recut(order: Order, targets: Mapping[str, str], marks: Marks) -> None:
    """Give each node its target config; raises :class:`Refused` with all reasons, and what state the nodes are in."""
    if not targets:
        return
    before = order.look()
    found = problems(order, before, order.cluster().pods(), targets)
    if found:
        raise Refused("nothing was changed:\n  " + "\n  ".join(found))
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
        raise Refused(f"no node was relabelled: {exc}\n{_reopened(order, before, newly)}") from None
    _label(order, seen, targets, marks)


def claim(order: Order, marks: Marks) -> None:
    """Mark nodes as this wave's own, so that no other one does anything to them any more; raises :class:`Refused`."""
    _, failed = order.each(marks, lambda cluster, name: cluster.patch_node(name, {}, marks[name]))
    if failed:
        raise Refused("; ".join(f"{name} could not be marked: {text}" for name, text in sorted(failed.items())))


def _reopened(order: Order, seen: Look, nodes: list[str]) -> str:
    opened, failed = reopen(order, nodes)
    if not failed:
        return told(opened) or "the nodes were closed before and still are"
    way_out = how_to_open((seen.nodes[name] for name in failed), order.isolation)
    return f"still closed: {', '.join(sorted(failed))}" + (f"; open with `{way_out}`" if way_out else "")


def _settled(order: Order, targets: Mapping[str, str]) -> None:
    """A manager in the middle of another config would report that one's end as the new one's."""
    while True:
        seen = order.look()
        working = [n for n in sorted(targets) if n in seen.nodes and seen.nodes[n].state == "pending"]
        if not working or time.monotonic() - order.started > WEDGED_S:
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
