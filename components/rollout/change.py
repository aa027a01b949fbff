"""The one way in which a node is given a config: close it, empty it, let its manager see the file, label it.

Assignment, release and rollback all come here. Until the label is written nothing has changed on the GPUs, so a failure
before opens what was closed; a failure after leaves the nodes closed and says so.
"""

import time
from collections.abc import Iterable, Mapping

from components.cluster import ClusterError
from components.look import Look
from components.rollout.barrier import await_projection
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
    seen = order.look()
    found = problems(order, seen, order.cluster().pods(), targets)
    if found:
        raise Refused("nothing was changed:\n  " + "\n  ".join(found))
    newly = [name for name in sorted(targets) if not seen.nodes[name].closed]
    try:
        _claim(order, {name: marks[name] for name in targets if name in marks})
        close(order, newly)
        evicted = drain(order, targets)
        if evicted:
            order.say(f"evicted {', '.join(evicted)}")
        _settled(order, targets)
        await_projection(order, targets)
        seen = order.look()
    except (ClusterError, Refused) as exc:
        raise Refused(f"no node was relabelled: {exc}\n{_reopened(order, newly)}") from None
    _label(order, seen, targets, marks)


def close(order: Order, nodes: Iterable[str]) -> None:
    """Nothing new starts on the nodes; raises :class:`Refused` when one cannot be closed."""
    _, failed = order.each(
        nodes, lambda cluster, name: cluster.cordon(name) if order.isolation == "cordon" else cluster.close(name)
    )
    if failed:
        raise Refused("; ".join(f"{name} could not be closed: {text}" for name, text in sorted(failed.items())))


def _claim(order: Order, marks: Marks) -> None:
    """Before the first node is closed: a wave that the nodes leave in the same update then leaves them alone."""
    _, failed = order.each(marks, lambda cluster, name: cluster.patch_node(name, {}, marks[name]))
    if failed:
        raise Refused("; ".join(f"{name} could not be marked: {text}" for name, text in sorted(failed.items())))


def reopen(order: Order, nodes: Iterable[str]) -> dict[str, str]:
    """Take our taint and our cordon off; the nodes where that failed, and why."""
    _, failed = order.each(nodes, lambda cluster, name: cluster.open(name))
    return failed


def how_to_open(nodes: Iterable[str], isolation: str) -> str:
    """The command that opens closed nodes by hand."""
    names = " ".join(sorted(nodes))
    return f"kubectl uncordon {names}" if isolation == "cordon" else f"kubectl taint nodes {names} {labels.TAINT}-"


def _reopened(order: Order, nodes: list[str]) -> str:
    failed = reopen(order, nodes)
    if failed:
        return f"still closed: {', '.join(sorted(failed))}; open with `{how_to_open(failed, order.isolation)}`"
    return f"open again: {', '.join(nodes)}" if nodes else "the nodes were closed before and still are"


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
        reasons = "\n  ".join(f"{name}: {text}" for name, text in sorted(failed.items()))
        raise Refused(
            f"{len(failed)} of {len(targets)} nodes could not be labelled:\n  {reasons}\n"
            f"relabelled: {', '.join(sorted(done)) or 'none'}; closed: {', '.join(sorted(targets))}. Run the update "
            f"again to go on, or open them with `{how_to_open(targets, order.isolation)}`"
        )
