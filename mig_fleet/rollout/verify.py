"""Verify a wave: wait, recover, compare, restore scheduling; on failure report each node's state."""

from collections.abc import Iterable, Mapping

from mig_fleet.cluster.errors import ClusterError
from mig_fleet.failures import CleanError, Refused, describe, one_clean_error
from mig_fleet.model import labels
from mig_fleet.model.formatting import format_gpus
from mig_fleet.model.report import STALE_AFTER_S
from mig_fleet.model.reported_slices import REPORTED, group
from mig_fleet.observed.configs.names import expected_by_node
from mig_fleet.observed.differences import wave_differences
from mig_fleet.observed.expected import Expected
from mig_fleet.observed.operands import MIG_MANAGER
from mig_fleet.observed.snapshot import Node, Snapshot, observe
from mig_fleet.rollout.context import RolloutContext
from mig_fleet.rollout.convergence import soak, wait_for_convergence
from mig_fleet.rollout.isolation import (
    format_isolated_by_state,
    format_results,
    format_unknown,
    restore_hint,
    restore_scheduling,
)
from mig_fleet.rollout.owner import require_cluster, require_cluster_owner
from mig_fleet.rollout.recovery import Recovery
from mig_fleet.rollout.remedy import WRONG
from mig_fleet.rollout.rollback import roll_back
from mig_fleet.rollout.stranding.pending_pods import report_pending
from mig_fleet.rollout.unexpected_failures import naming_isolated_nodes
from mig_fleet.rollout.wave import Props, Wave


class VerificationFailed(CleanError):
    """Some nodes are not as the stack declares; the message names each node, GPU, what was expected and found."""


def verify(wave: Wave) -> Props:
    """Returns the outputs ``slices`` and ``remedies``; raises :class:`VerificationFailed`."""
    with one_clean_error(VerificationFailed), naming_isolated_nodes(wave):
        context = RolloutContext(wave)
        require_cluster(context.cluster(), wave.uid, wave.owner)
        require_cluster_owner(context.cluster(), wave.namespace, wave.owner)
        expected = _expected(wave, _read(context))
        recovery = Recovery(context)
        try:
            seen = wait_for_convergence(context, expected, recovery)
            changed = any(seen.nodes[name].isolated for name in wave.nodes)
            if changed:
                soak(context, expected)
        except (Refused, ClusterError) as exc:
            raise VerificationFailed(f"{exc}\n{_after_failure(context)}") from None
        _accept(context, seen, expected)
        if changed:
            report_pending(context)
        return {REPORTED: group(_slices(seen, wave.nodes)), "remedies": recovery.used}


def read_slices(wave: Wave) -> dict[str, str]:
    """Node → its slices as NVML reports them now; raises :class:`VerificationFailed`."""
    with one_clean_error(VerificationFailed):
        return _slices(observe(wave.cluster, wave.reports_namespace, dra=wave.is_dra), wave.nodes)


def _expected(wave: Wave, nodes: Mapping[str, Node]) -> dict[str, Expected]:
    return expected_by_node(wave.expected, wave.nodes, nodes, wave.config_name)


def _read(context: RolloutContext) -> Mapping[str, Node]:
    """The nodes, if the names that they carry matter; raises :class:`VerificationFailed`."""
    if context.wave.config_name != "keep":
        return {}
    try:
        return context.retry(context.observe).nodes
    except (Refused, ClusterError) as exc:
        raise VerificationFailed(f"{exc}\n{_node_states(context)}") from None


def _accept(context: RolloutContext, seen: Snapshot, expected: Mapping[str, Expected]) -> None:
    """Restore scheduling, and record the config on each node, also a kept one: a rollback returns to it."""
    wave = context.wave
    verified = {name: expected[name].config for name in wave.nodes}
    new = [n for n in wave.nodes if seen.nodes[n].annotations.get(labels.VERIFIED_CONFIG) != verified[n]]
    records = {name: {labels.VERIFIED_CONFIG: verified[name]} for name in new}
    _, unrecorded = context.on_each(
        new, lambda cluster, name: cluster.patch_node(name, {}, records[name], seen.nodes[name].uid)
    )
    opened = [name for name in wave.nodes if seen.nodes[name].isolated]
    results, isolated = restore_scheduling(context, opened, seen.nodes)
    if results:
        context.event(format_results(results))
    if unrecorded or isolated:
        reasons = [f"{name} is not recorded as verified: {text}" for name, text in sorted(unrecorded.items())]
        reasons += [f"{name} may still be isolated: {text}" for name, text in sorted(isolated.items())]
        hint = restore_hint(seen.nodes[name] for name in isolated)
        way_out = f", or {hint}" if hint else ""
        raise VerificationFailed(
            f"all nodes of {wave.wave} are as declared, but {'; '.join(reasons)}\nRun the update again{way_out}"
        )


def _after_failure(context: RolloutContext) -> str:
    """Roll back if ``on_failure`` is ``rollback``; returns the state of the nodes, and what to do.

    An interrupted update changes nothing any more: the user waits for its end.
    """
    if context.is_interrupted:
        return _node_states(context)
    lead = ""
    if context.wave.on_failure == "rollback":
        try:
            result = roll_back(RolloutContext(context.wave))
            return f"The wave was {result}. The next update tries {context.wave.config} again."
        except Exception as exc:
            lead = f"The wave could not be rolled back: {describe(exc)}\n"
    return lead + _node_states(context) + _restart_by_hand(context)


def _restart_by_hand(context: RolloutContext) -> str:
    """The command that restarts MIG Manager; an update does not do it if recovery is off."""
    if context.wave.recovery:
        return ""
    try:
        nodes = context.observe().nodes
        found = wave_differences(_expected(context.wave, nodes), nodes)
    except ClusterError:
        return ""
    pods = f"kubectl -n {context.wave.namespace} delete pods -l app={MIG_MANAGER} --field-selector spec.nodeName="
    wrong = sorted({d.node for d in found if d.drift in WRONG})
    return "".join(f"\nRecovery is off, so restart MIG Manager first: `{pods}{name}`" for name in wrong)


def _node_states(context: RolloutContext) -> str:
    """The config that the nodes carry, whether they are isolated, and what to do."""
    try:
        seen = context.observe().nodes
    except ClusterError:
        return f"{format_unknown(context.wave.nodes)}."
    there = [seen[name] for name in context.wave.nodes if name in seen]
    if isolated := format_isolated_by_state(there, context.wave.expected.gpus):
        return isolated
    kept = " and ".join(sorted({node.config for node in there if node.config}))
    keep = f"The nodes keep config {kept}; once" if kept else "Once"
    return f"{keep} the cause is fixed, run `pulumi up` again."


def _slices(seen: Snapshot, names: Iterable[str]) -> dict[str, str]:
    """Node → its slices. A missing node is left out; a report that is stale or incomplete proves nothing."""
    nodes: Mapping[str, Node] = seen.nodes
    return {name: _format(nodes[name]) or "no report" for name in sorted(names) if name in nodes}


def _format(node: Node) -> str:
    stale = (node.report_age_s or 0.0) > STALE_AFTER_S
    if node.report is None or node.report.errors or not node.has_current_report or stale:
        return ""
    return format_gpus(node.report.per_gpu())
