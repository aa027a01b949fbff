"""The only writer of the config label: isolate, drain, wait for propagation, label.

Assignment, release and rollback all use it. A node whose GPUs have the slices already is only labelled: it is neither
isolated nor drained. That is decided on one snapshot, and again right before the label is written.

Until the label is written nothing has changed on the GPUs, so a failure before it restores scheduling; a failure after
it leaves the nodes isolated and names them.
"""

import time
from collections.abc import Iterable, Mapping

from mig_fleet.cluster.client import Cluster, Json
from mig_fleet.failures import Refused, describe
from mig_fleet.foreign_text import printable
from mig_fleet.model import labels
from mig_fleet.model.numbers import parse_natural
from mig_fleet.observed.gpus.pods import gpu_pods
from mig_fleet.observed.operands import MIG_MANAGER, log_command
from mig_fleet.observed.snapshot import Node, Snapshot
from mig_fleet.rollout.affected import Slices, affected_nodes
from mig_fleet.rollout.context import RolloutContext
from mig_fleet.rollout.drain import REPORT_WAIT_S, Drain
from mig_fleet.rollout.isolated_nodes import IsolatedNodes
from mig_fleet.rollout.isolation import format_isolated, format_results, isolated_again, restore_scheduling
from mig_fleet.rollout.listed_pods import list_pods
from mig_fleet.rollout.manager_file import await_manager_file
from mig_fleet.rollout.missing_operands import missing_operands
from mig_fleet.rollout.other_update import refuse_relabelled
from mig_fleet.rollout.owner import Annotations, take_ownership
from mig_fleet.rollout.preflight import hardware_problems, problems
from mig_fleet.rollout.propagation import await_propagation
from mig_fleet.rollout.stranding.check import WAYS_OUT, format_stranded, stranded_by_change
from mig_fleet.rollout.stranding.pending_pods import record_unscheduled


def reconfigure(
    context: RolloutContext,
    targets: Mapping[str, str],
    ownership: Annotations,
    slices: Slices,
    is_rollback: bool = False,
) -> None:
    """Give each node its target config. ``ownership`` is written first, for the nodes that it names. ``slices`` are the
    profiles per GPU of each target; a node without them counts as a whole. A rollback is not refused for stranded pods.

    Raises :class:`Refused` with all reasons, and with the state that the nodes are left in.
    """
    if not targets:
        return
    other = await_manager_file(context, targets)
    try:
        before = _await_reports(context, targets)
    except Refused as exc:
        raise Refused(f"nothing was changed: {exc}") from None
    slices = {name: slices.get(name) for name in targets}
    affected = affected_nodes(before, slices)
    pods = list_pods(context.wave, context.cluster())
    found = [*problems(context.wave, before, pods, affected), *missing_operands(context.wave, context.cluster())]
    if other:
        found.append(other)
    stranded = [] if is_rollback else stranded_by_change(context.wave, before, pods, targets, slices)
    if stranded and context.wave.on_stranded_pods == "refuse":
        found += [*format_stranded(stranded), WAYS_OUT]
    if found:
        reasons = [f"  {reason}" for reason in found]
        raise Refused("\n".join(["nothing was changed:", *reasons, *_isolated_before(before, targets)]))
    for line in format_stranded(stranded):
        context.event(line)
    record_unscheduled(context, pods)
    isolated = IsolatedNodes(context, before)
    draining = Drain(context, slices, affected, isolated)
    draining.remember(before, gpu_pods(pods, context.wave.namespace))
    context.record_change()
    try:
        take_ownership(context, {name: ownership[name] for name in targets if name in ownership})
        seen = _prepare(context, targets, draining, isolated)
    except Exception as exc:
        evicted = [f"evicted before that: {', '.join(sorted(draining.evicted))}"] if draining.evicted else []
        lines = [
            f"no node was relabelled: {describe(exc)}",
            *evicted,
            *_restore(context, before, targets, isolated.names),
        ]
        raise Refused("\n".join(lines)) from None
    _label(context, seen, targets, ownership)


def _await_reports(context: RolloutContext, targets: Iterable[str]) -> Snapshot:
    """The fleet, once the probes have reported the nodes: without a report every pod of a node counts. In a first
    update the probes have just started. One that does not report within :data:`REPORT_WAIT_S`, or a quarter of the
    wave's timeout, is not waited for, and nothing is if the change is refused anyway.
    """
    started, fleet = time.monotonic(), context.follow()
    within_s = min(REPORT_WAIT_S, context.wave.timeout_seconds / 4)
    while True:
        seen = fleet.observe()
        nodes = [seen.nodes[name] for name in sorted(targets) if name in seen.nodes]
        refused = any(hardware_problems(context.wave, node) for node in nodes)
        silent = [] if refused else [node.name for node in nodes if _will_report(node)]
        if not silent or time.monotonic() - started > within_s:
            context.finish_progress("the probes have reported" if not silent else f"no report of {', '.join(silent)}")
            return seen
        context.progress(f"waits for the probe on {len(silent)} node(s) to report: {silent[0]}")
        context.await_changes(fleet)


def _will_report(node: Node) -> bool:
    """Whether a running probe would report the node's present state soon; while MIG Manager works, once it is done."""
    reports = node.ready and node.state in ("success", "failed", "pending")
    return reports and (node.report is None or not node.has_current_report)


def _prepare(context: RolloutContext, targets: Mapping[str, str], draining: Drain, isolated: IsolatedNodes) -> Snapshot:
    """Isolate and drain the nodes with affected GPUs, and wait until all can be labelled; returns the snapshot by which
    nothing has to be isolated or drained any more.
    """
    affected, touched = draining.decided, set[str]()
    while True:
        touched |= {name for name, gpus in affected.items() if not gpus.nothing}
        isolated.add(touched)
        draining.run(touched)
        _wait_not_pending(context, targets)
        await_propagation(context, targets)
        seen = context.retry_in_time(context.observe)
        context.stop_if_interrupted()
        exposed = isolated.put_back(seen, touched)
        affected = affected_nodes(seen, draining.slices)
        appeared = {name for name, gpus in affected.items() if not gpus.nothing} - touched
        pods = context.retry_in_time(lambda: list_pods(context.wave, context.cluster())) if touched else []
        losing = draining.losing(seen, gpu_pods(pods, context.wave.namespace), affected)
        if not appeared and not exposed and not losing:
            return seen


def start_attempt(
    cluster: Cluster,
    node: Node | None,
    name: str,
    node_labels: Mapping[str, str],
    annotations: Mapping[str, str | None] | None = None,
) -> None:
    """Patch a node so that later states and reports can be distinguished from earlier ones.

    The same patch removes the state label, so that a later `success` belongs to this config, and increases the number
    of the attempt, so that a report of an earlier `success` counts as stale. Another node of that name is not patched:
    raises :class:`~mig_fleet.cluster.errors.NodeReplaced`; nor is one that another update relabelled: raises
    :class:`~mig_fleet.cluster.errors.Conflict`. A node that was isolated and is not any more is isolated again by the
    same write.
    """
    attempt = node.next_attempt if node else "1"
    written = {**(annotations or {}), labels.ATTEMPT: attempt}

    def patch(there: Json) -> Json | None:
        metadata = there["metadata"]
        if (metadata.get("annotations") or {}).get(labels.ATTEMPT) == attempt and _carries(metadata, node_labels):
            return None  # our own write, whose answer was lost
        if node is not None:
            refuse_relabelled(node, there)
        again = isolated_again(node, there) if node is not None else {}
        annotations = {**again.get("metadata", {}).get("annotations", {}), **written}
        return {**again, "metadata": {"labels": {**node_labels, labels.STATE: None}, "annotations": annotations}}

    cluster.rewrite_node(name, patch, node.uid if node else "")


def _carries(metadata: Json, node_labels: Mapping[str, str]) -> bool:
    return node_labels.items() <= (metadata.get("labels") or {}).items()


def note_attempts(context: RolloutContext, nodes: Iterable[Node | None]) -> None:
    """Print which nodes have an attempt that is no number: a kubelet may write what it likes, and we replace it."""
    for node in filter(None, nodes):
        if node.attempt is not None and parse_natural(node.attempt) is None:
            found = f"annotation {labels.ATTEMPT} is '{printable(node.attempt)}', and must be a whole number"
            context.event(f"{node.name}: {found}; it is replaced by {node.next_attempt}")


def _restore(context: RolloutContext, before: Snapshot, targets: Iterable[str], isolated: Iterable[str]) -> list[str]:
    """Restore scheduling on the nodes that this change isolated; returns lines about their state, with the commands."""
    results, failed = restore_scheduling(context, isolated, before.nodes)
    left = format_isolated((before.nodes[name] for name in failed), isolation=context.wave.isolation)
    if results:
        context.event(format_results(results))
    return [*filter(None, [left or format_results(results)]), *_isolated_before(before, targets)]


def _isolated_before(seen: Snapshot, nodes: Iterable[str]) -> list[str]:
    """A line about nodes that were already isolated, for example by an update that failed."""
    there = [seen.nodes[name] for name in nodes if name in seen.nodes]
    line = format_isolated(there, "still isolated as before")
    return [line] if line else []


def _wait_not_pending(context: RolloutContext, targets: Mapping[str, str]) -> None:
    """If MIG Manager still applies another config, its later `success` looks like that of the new one. A stuck one is
    not waited for.
    """
    since, fleet = dict[str, float](), context.follow()
    while True:
        seen, now = context.retry_in_time(fleet.observe), time.monotonic()
        pending = [n for n in sorted(targets) if n in seen.nodes and seen.nodes[n].state == "pending"]
        working = [n for n in pending if now - since.setdefault(n, now) <= context.wave.stuck_after_seconds]
        if not working:
            context.finish_progress("MIG Manager is not at work on another config")
            return
        if context.is_late:
            raise Refused(
                f"MIG Manager is still at work on {', '.join(working)} after {context.wave.timeout_seconds:.0f} s; see "
                f"its log: {log_command(context.wave.namespace, MIG_MANAGER)}"
            )
        context.progress(f"waits for MIG Manager to finish on {working[0]} (and {len(working) - 1} more)")
        context.await_changes(fleet)


def _label(context: RolloutContext, seen: Snapshot, targets: Mapping[str, str], ownership: Annotations) -> None:
    # Another update may have written the same config: MIG Manager would not apply, and not report, it a second time.
    targets = {n: config for n, config in targets.items() if n not in seen.nodes or seen.nodes[n].config != config}
    note_attempts(context, map(seen.nodes.get, sorted(targets)))
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
