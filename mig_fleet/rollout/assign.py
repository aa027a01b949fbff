"""Assign a wave's config to its nodes, and release nodes that leave it."""

from collections.abc import Iterable, Mapping

from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.errors import ClusterError
from mig_fleet.failures import CleanError, Refused, one_clean_error
from mig_fleet.model import labels
from mig_fleet.model.strategy import PerGpu
from mig_fleet.observed.configs.names import expected_config
from mig_fleet.observed.configs.slices import known_slices
from mig_fleet.observed.operands import MIG_MANAGER, log_command
from mig_fleet.observed.owners.ownership import belongs_to_another_wave, carries, owned_by, ownership_annotations
from mig_fleet.observed.snapshot import Node
from mig_fleet.rollout.context import RolloutContext
from mig_fleet.rollout.isolation import still_isolated
from mig_fleet.rollout.owner import Annotations, release_node, require_cluster, require_cluster_owner, take_ownership
from mig_fleet.rollout.reconfigure import reconfigure
from mig_fleet.rollout.unexpected_failures import naming_isolated_nodes
from mig_fleet.rollout.wave import Wave


class AssignmentFailed(CleanError):
    """Some nodes could not get their config; the message names each of them and the reason."""


def assign(wave: Wave, before: Wave | None = None) -> None:
    """Write the config on the nodes that do not carry it, and take ownership of all nodes of the wave.

    Takes ownership of nodes of other waves first, and keeps it if the change is refused. Otherwise, under
    `--continue-on-error`, their old wave is deleted and applies its own `onDelete` to them. A wave that is held or
    blocked does nothing else. ``before`` is the wave as it was before this update: nodes that had left it by an earlier
    update are released. Raises :class:`AssignmentFailed`.
    """
    with one_clean_error(AssignmentFailed), naming_isolated_nodes(wave):
        context = RolloutContext(wave)
        require_cluster(context.cluster(), wave.uid, wave.owner)
        require_cluster_owner(context.cluster(), wave.namespace, wave.owner)
        nodes = context.observe().nodes
        ownership = {name: ownership_annotations(nodes.get(name), wave.wave, wave.owner) for name in wave.members}
        others = [n for n in ownership if n in nodes and belongs_to_another_wave(nodes[n], wave.wave, wave.owner)]
        _take_ownership(context, {name: ownership.pop(name) for name in others})
        if before is not None and not wave.blocked:
            keep = {*wave.members, *before.members, *wave.owned_elsewhere}
            if leaving := owned_by(wave.wave, nodes, keep, wave.owner):
                _release(context, leaving)
                context = RolloutContext(wave)
                nodes = context.observe().nodes
        changing = () if wave.held or wave.blocked else wave.nodes
        targets = {name: expected_config(wave.expected, nodes.get(name), wave.config_name) for name in changing}
        differing = {n: config for n, config in targets.items() if n not in nodes or nodes[n].config != config}
        reconfigure(context, differing, ownership, dict.fromkeys(differing, wave.expected.gpus))
        unchanged = [name for name in ownership if name in nodes and name not in differing]
        incomplete = {name: ownership[name] for name in unchanged if not carries(nodes[name], ownership[name])}
        _take_ownership(context, incomplete, differing)


def release(wave: Wave) -> None:
    """Apply the delete policy to the nodes that this wave owns; can be repeated. Raises :class:`AssignmentFailed`.

    The owner is an annotation on the node, so a node that another wave owns now, or that was released, is not changed.
    """
    with one_clean_error(AssignmentFailed), naming_isolated_nodes(wave):
        context = RolloutContext(wave)
        require_cluster(context.cluster(), wave.uid, wave.owner)
        require_cluster_owner(context.cluster(), wave.namespace, wave.owner)
        _release(context, owned_by(wave.wave, context.observe().nodes, (), wave.owner))


def changes_at_release(
    cluster: Cluster, wave: Wave, leaving: Mapping[str, Node]
) -> tuple[dict[str, str], dict[str, PerGpu | None]]:
    """The nodes that get another config before they are released: their targets, and the slices of these by the layout
    file in the cluster.
    """
    differing = {name: config for name, config in _targets(wave, leaving).items() if leaving[name].config != config}
    config_map = cluster.config_map(wave.namespace, labels.LAYOUTS_CONFIG_MAP) if differing else None
    return differing, known_slices(config_map, differing, leaving)


def _release(context: RolloutContext, leaving: Mapping[str, Node]) -> None:
    differing, slices = changes_at_release(context.cluster(), context.wave, leaving)
    reconfigure(context, differing, {}, slices)
    targets = _targets(context.wave, leaving)
    _wait_success(context, targets)
    released, failed = context.on_each(leaving, lambda cluster, name: release_node(cluster, name, context.wave))
    for text in (released[name] for name in sorted(released.keys() - targets.keys())):
        if text:
            context.event(text)
    if failed:
        reasons = "; ".join(f"{name}: {text}" for name, text in sorted(failed.items()))
        raise AssignmentFailed(f"{reasons}{still_isolated(context, failed)}")


def _take_ownership(context: RolloutContext, ownership: Annotations, relabelled: Iterable[str] = ()) -> None:
    try:
        take_ownership(context, ownership)
    except Refused as exc:
        names = ", ".join(relabelled)
        state = f"relabelled and isolated: {names}" if names else "no node was relabelled"
        way_out = still_isolated(context, relabelled)
        raise AssignmentFailed(f"{exc}\n{state}{way_out}\nRun the update again to continue") from None


def _targets(wave: Wave, leaving: Mapping[str, Node]) -> dict[str, str]:
    """Node → the config that it must have when it is released; nodes that keep theirs are left out."""
    return {name: target for name, node in leaving.items() if (target := _target(node, wave)) is not None}


def _target(node: Node, wave: Wave) -> str | None:
    """The config that a leaving node gets; ``None`` if it keeps its config, or if another client changed its label."""
    previous = node.annotations.get(labels.PREVIOUS_CONFIG) or labels.ALL_DISABLED
    target = {"disable": labels.ALL_DISABLED, "restore": previous}.get(wave.on_delete)
    ours = (wave.config, node.annotations.get(labels.VERIFIED_CONFIG), target)
    return target if node.config in ours else None


def _wait_success(context: RolloutContext, targets: Mapping[str, str]) -> None:
    """Wait for MIG Manager, because a deletion of the stack may remove it next."""
    target, fleet = "", context.follow()
    while True:
        try:
            if target:
                context.await_changes(fleet)
            nodes = context.retry(fleet.observe).nodes
        except (ClusterError, Refused) as exc:
            raise AssignmentFailed(f"{exc}{still_isolated(context, targets)}") from None
        waiting = sorted(n for n in targets if n in nodes and nodes[n].state != "success")
        if not waiting:
            context.finish_progress(f"MIG Manager has applied the configs on {len(targets)} node(s)")
            return
        failed = [n for n in waiting if nodes[n].state == "failed"]
        if failed or context.is_late:
            names = ", ".join(f"{name} to {targets[name]!r}" for name in failed or waiting)
            log = log_command(context.wave.namespace, MIG_MANAGER)
            raise AssignmentFailed(
                f"MIG Manager did not reconfigure {names}; see its log: {log}{still_isolated(context, targets)}"
            )
        target = targets[waiting[0]]
        context.progress(f"waits until MIG Manager has applied {target!r} on {len(waiting)} node(s): {waiting[0]}")
