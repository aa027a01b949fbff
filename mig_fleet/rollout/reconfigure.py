"""The only writer of the config label: isolate, drain, wait for propagation, label.

Assignment, release and rollback all use it. Until the label is written nothing has changed on the GPUs, so a failure
before it restores scheduling; a failure after it leaves the nodes isolated and names them.
"""

import time
from collections.abc import Iterable, Mapping

from mig_fleet.cluster.client import Cluster, ClusterError
from mig_fleet.failures import Refused
from mig_fleet.model import labels
from mig_fleet.observed.operands import MIG_MANAGER, log_command
from mig_fleet.observed.snapshot import Node, Snapshot
from mig_fleet.rollout.context import POLL_S, RolloutContext
from mig_fleet.rollout.drain import drain
from mig_fleet.rollout.isolation import (
    format_isolated,
    format_results,
    isolate,
    restore_scheduling,
)
from mig_fleet.rollout.owner import Annotations, take_ownership
from mig_fleet.rollout.preflight import problems
from mig_fleet.rollout.propagation import await_propagation


def reconfigure(context: RolloutContext, targets: Mapping[str, str], ownership: Annotations) -> None:
    """Give each node its target config. ``ownership`` is written first, for the nodes that it names.

    Raises :class:`Refused` with all reasons, and with the state that the nodes are left in.
    """
    if not targets:
        return
    before = context.observe()
    found = problems(context.wave, before, context.cluster().pods(), targets)
    if found:
        reasons = [f"  {reason}" for reason in found]
        raise Refused("\n".join(["nothing was changed:", *reasons, *_isolated_before(before, targets)]))
    schedulable = [name for name in sorted(targets) if not before.nodes[name].isolated]
    try:
        take_ownership(context, {name: ownership[name] for name in targets if name in ownership})
        isolate(context, schedulable)
        evicted = drain(context, targets)
        if evicted:
            context.progress(f"evicted {', '.join(evicted)}")
        _wait_not_pending(context, targets)
        await_propagation(context, targets)
        seen = context.observe()
    except (ClusterError, Refused) as exc:
        raise Refused(f"no node was relabelled: {exc}\n{_restore(context, before, targets)}") from None
    _label(context, seen, targets, ownership)


def start_attempt(
    cluster: Cluster,
    node: Node | None,
    name: str,
    node_labels: Mapping[str, str],
    annotations: Mapping[str, str | None] | None = None,
) -> None:
    """Patch a node so that later states and reports can be distinguished from earlier ones.

    The same patch removes the state label, so that a later `success` belongs to this config, and increases the number
    of the attempt, so that a report of an earlier `success` counts as stale.
    """
    before = node.attempt if node else None
    attempt = str(int(before) + 1 if before and before.isdigit() else 1)
    written = {**(annotations or {}), labels.ATTEMPT: attempt}
    cluster.patch_node(name, {**node_labels, labels.STATE: None}, written)


def _restore(context: RolloutContext, before: Snapshot, nodes: Iterable[str]) -> str:
    """Restore scheduling on the nodes that were not isolated before; returns their state, with the commands."""
    results, failed = restore_scheduling(context, [name for name in nodes if not before.nodes[name].isolated])
    left = format_isolated((before.nodes[name] for name in failed), isolation=context.wave.isolation)
    return "\n".join(filter(None, [left or format_results(results), *_isolated_before(before, nodes)]))


def _isolated_before(seen: Snapshot, nodes: Iterable[str]) -> list[str]:
    """A line about nodes that were already isolated, for example by an update that failed."""
    there = [seen.nodes[name] for name in nodes if name in seen.nodes]
    line = format_isolated(there, "still isolated as before")
    return [line] if line else []


def _wait_not_pending(context: RolloutContext, targets: Mapping[str, str]) -> None:
    """If MIG Manager still applies another config, its later `success` looks like that of the new one. A stuck one is
    not waited for.
    """
    since: dict[str, float] = {}
    while True:
        seen, now = context.observe(), time.monotonic()
        pending = [n for n in sorted(targets) if n in seen.nodes and seen.nodes[n].state == "pending"]
        working = [n for n in pending if now - since.setdefault(n, now) <= context.wave.stuck_after_seconds]
        if not working:
            return
        if context.is_late:
            raise Refused(
                f"MIG Manager is still at work on {', '.join(working)} after {context.wave.timeout_seconds:.0f} s; see "
                f"its log: {log_command(context.wave.namespace, MIG_MANAGER)}"
            )
        context.progress(f"waits for MIG Manager to finish on {working[0]} (and {len(working) - 1} more)")
        time.sleep(POLL_S)


def _label(context: RolloutContext, seen: Snapshot, targets: Mapping[str, str], ownership: Annotations) -> None:
    done, failed = context.on_each(
        targets,
        lambda cluster, name: start_attempt(
            cluster, seen.nodes.get(name), name, {labels.CONFIG: targets[name]}, ownership.get(name, {})
        ),
    )
    if failed:
        isolated = format_isolated(seen.nodes[name] for name in targets if name in seen.nodes)
        lines = [f"{len(failed)} of {len(targets)} nodes could not be labelled:"]
        lines += [f"  {name}: {text}" for name, text in sorted(failed.items())]
        lines += [f"relabelled: {', '.join(sorted(done)) or 'none'}", *([isolated] if isolated else [])]
        raise Refused("\n".join([*lines, "Run the update again to continue"]))
