"""Assignment: the config label on one wave's nodes. PINNED: this module's path and its class names are state.

Pulumi stores the provider by module path and class name, and loads it from the *old* state on destroy: never move or
rename either. The provider keeps no attributes, because they would be stored too.

A preview that finds nothing to do needs none of the steps of a change, so they are imported in the methods.
"""

from collections.abc import Iterable
from typing import Any

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    UpdateResult,
)

from mig_fleet.cluster.errors import ClusterError
from mig_fleet.components.cancellation import listen_for_cancel
from mig_fleet.components.connection_identity import with_newest_credentials
from mig_fleet.components.preview import check_wave, connection_of, has_new_owner, with_known_owner
from mig_fleet.components.provider import Provider
from mig_fleet.components.resource import Resource
from mig_fleet.model import labels
from mig_fleet.model.wave_nodes import node_names
from mig_fleet.observed.configs.names import expected_config
from mig_fleet.observed.differences import assignment_drift, removed_nodes, taken_over
from mig_fleet.observed.owners.ownership import belongs_to_another_wave, owned_by
from mig_fleet.observed.plugin_settings import with_another_strategy
from mig_fleet.observed.snapshot import Snapshot, observe
from mig_fleet.rollout.wave import Props, Wave, stored

CHECK_ONLY = ("earlierNodes", "declaredNodes")
"""Inputs that only `check` reads; they are not stored.

``earlierNodes``: the nodes of the pool that change before this wave in the same update. ``declaredNodes``: every node
of the stack's pools. Both are separated by blanks: one text, because each wave has a copy of it."""


class AssignmentProvider(Provider):
    """Writes `nvidia.com/mig.config`. Every step can be repeated, and a node with its config is not changed."""

    def check(self, olds: Props, news: Props) -> CheckResult:
        """Called for every wave in each preview and each up. Adds ``drift`` if others changed a node, and the impact of
        a planned change, or of the config that repairs the drift.
        """
        earlier, declared = ((news.get(key) or "").split() for key in CHECK_ONLY)
        found = check_wave(
            olds,
            {key: value for key, value in news.items() if key not in CHECK_ONLY},
            lambda wave: _drift(wave, declared),
            lambda wave: _impact(wave, olds, earlier, declared),
        )
        try:
            inputs = {**found.inputs, **_ownership(olds, news, found.inputs, declared)}
            return CheckResult(inputs, found.failures or _obstacles(olds, news, inputs))
        except ClusterError:
            return found

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """An update if the desired state differs or `check` found drift; never a replacement: the nodes still exist."""
        changed = _of(olds) != _of(news) or has_new_owner(olds, news)
        return DiffResult(changes=changed or bool(news.get("drift")))

    def create(self, props: Props) -> CreateResult:
        listen_for_cancel()
        from mig_fleet.rollout.assign import assign

        assign(Wave.from_properties(props))
        return CreateResult(props["wave"], stored(props))

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        """Nodes that leave the wave in this update are released by a later one: in this one another wave may take them
        over, so that they are reconfigured only once. Those that left earlier are released before anything else.
        """
        listen_for_cancel()
        from mig_fleet.rollout.assign import assign

        assign(Wave.from_properties(news), Wave.from_properties(olds))
        return UpdateResult(stored(news))

    def delete(self, _id: str, props: Props) -> None:
        """Called when a wave leaves the stack, and on destroy, while MIG Manager still runs."""
        listen_for_cancel()
        from mig_fleet.rollout.assign import release

        release(Wave.from_properties(with_newest_credentials(props)))


class Assignment(Resource, module="mig", name="Assignment"):
    """The nodes of one wave carry one config name."""

    def __init__(self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(AssignmentProvider(), name, props, opts)


def _ownership(olds: Props, news: Props, inputs: Props, declared: Iterable[str]) -> Props:
    """What `update` must know of nodes that one wave declares and another owns.

    A wave that waits takes ownership of its nodes even if it has no other reason for an update: the wave that owns them
    may be deleted in this update.
    """
    inputs = with_known_owner(inputs, olds)
    if not olds or pulumi.runtime.rpc.contains_unknowns(inputs):
        return {}
    wave = Wave.from_properties(inputs)
    nodes = _observe(wave).nodes
    waits = bool(news.get("held")) or news.get("blocked") is True
    if waits and "drift" not in inputs and _of(olds) == _desired(wave):
        declared_here = {*node_names(news)}
        there = [nodes[name] for name in wave.members if name in declared_here and name in nodes]
        theirs = [node for node in there if belongs_to_another_wave(node, wave.wave, wave.owner)]
        lost = [str(taken_over(node, wave.wave, wave.owner)) for node in theirs]
        return {"drift": lost, "blocked": True} if lost else {}
    members = {*wave.members, *Wave.from_properties(olds).members}
    elsewhere = {*declared} & owned_by(wave.wave, nodes, members, wave.owner).keys()
    return {"ownedElsewhere": sorted(elsewhere)} if elsewhere else {}


def _obstacles(olds: Props, news: Props, inputs: Props) -> list[CheckFailure]:
    """Settings of an operator under which the update could not succeed."""
    inputs = with_known_owner(inputs, olds)
    if inputs.get("held") or news.get("blocked") is True or pulumi.runtime.rpc.contains_unknowns(inputs):
        return []
    wave = Wave.from_properties(inputs)
    return _plugin_settings(olds, wave) or _other_file(olds, wave)


def _plugin_settings(olds: Props, wave: Wave) -> list[CheckFailure]:
    """If what is expected cannot be offered, also of nodes that keep what they have: a failed preview for a planned
    change; of others' changes the verification reports the drift.
    """
    if olds and _of(olds) == _desired(wave):
        return []
    from mig_fleet.cluster.client import Cluster
    from mig_fleet.rollout.board_names import unknown_names
    from mig_fleet.rollout.missing_operands import missing_operands
    from mig_fleet.rollout.plugin_obstacles import plugin_obstacles

    seen = _observe(wave).nodes
    nodes = [seen[name] for name in wave.nodes if name in seen]
    before = Wave.from_properties(olds) if olds else None
    of_nodes = (reason for node in nodes for reason in unknown_names(wave, node))
    reasons = [*missing_operands(wave, Cluster(wave.cluster)), *plugin_obstacles(wave, nodes, before), *of_nodes]
    return [CheckFailure("", f"{wave.wave}: {reason}") for reason in reasons]


def _other_file(olds: Props, wave: Wave) -> list[CheckFailure]:
    """If nodes must be relabelled, and no MIG Manager of theirs reads our file, or an operand is off: a failed preview
    for a planned change, and a warning for drift, which the next update cannot repair then.
    """
    targets = {} if wave.operator_managed else _relabelled(wave)
    if not targets:
        return []
    from mig_fleet.cluster.client import Cluster
    from mig_fleet.rollout.manager_file import check_manager_file
    from mig_fleet.rollout.missing_operands import missing_operands

    cluster = Cluster(wave.cluster)
    reason = "; ".join(missing_operands(wave, cluster)) or check_manager_file(wave, cluster, targets)
    if not reason:
        return []
    if _are_planned(olds, wave, targets):
        return [CheckFailure("", f"{wave.wave}: {reason}")]
    names = ", ".join(sorted(targets))
    pulumi.log.warn(f"{wave.wave}: an update that repairs the drift of {names} is refused: {reason}")
    return []


def _are_planned(olds: Props, wave: Wave, relabelled: Iterable[str]) -> bool:
    """Whether a node gets another config because the stack changed, and not only because of drift."""
    if not olds:
        return True
    before = Wave.from_properties(olds)
    changed = (before.config, before.config_name) != (wave.config, wave.config_name)
    return before.held or changed or not {*relabelled} <= {*before.nodes}


def _relabelled(wave: Wave) -> dict[str, str]:
    """The nodes that an update gives the layout's own config name, and that name."""
    nodes = _observe(wave).nodes
    there = (nodes[name] for name in wave.nodes if name in nodes)
    return {it.name: wave.config for it in there if it.config != expected_config(wave.expected, it, wave.config_name)}


def _drift(wave: Wave, declared: Iterable[str]) -> list[object]:
    nodes = _observe(wave).nodes
    leaving = owned_by(wave.wave, nodes, {*wave.members, *declared}, wave.owner).values()
    removed = removed_nodes(leaving, wave.on_delete)
    found = assignment_drift(wave.wave, wave.expected, wave.nodes, nodes, removed, wave.owner, wave.config_name)
    return [*found]


def _impact(wave: Wave, olds: Props, earlier: Iterable[str], declared: Iterable[str]) -> Props:
    """Pods are listed only if a node gets another config name. A new wave names the nodes that keep theirs.

    A node that leaves the wave in this update is released by a later one.
    """
    seen = _observe(wave)
    targets = _relabelled(wave)
    missing = [name for name in wave.nodes if name not in seen.nodes]
    there = [seen.nodes[name] for name in wave.nodes if name in seen.nodes]
    kept = [it for it in there if not olds and it.name not in targets and labels.WAVE not in it.annotations]
    keep = {*wave.members, *declared, *node_names(olds), *olds.get("joining", ())}
    leaving = owned_by(wave.wave, seen.nodes, keep, wave.owner) if wave.on_delete != "retain" else {}
    strategy = wave.expected.strategy
    before = Wave.from_properties(olds).expected.strategy if olds else None
    is_chosen = wave.operator_managed and before != strategy  # a strategy that others changed is drift
    renamed = with_another_strategy(there, strategy) if is_chosen else {}
    if not (targets or missing or kept or leaving or renamed):
        return {}
    from mig_fleet.cluster.client import Cluster
    from mig_fleet.observed.gpus.pods import gpu_pods
    from mig_fleet.rollout.assign import changes_at_release
    from mig_fleet.rollout.impact import adopted_nodes, missing_nodes, planned_impact
    from mig_fleet.rollout.listed_pods import list_pods
    from mig_fleet.rollout.stranding.check import listed, planned_stranding
    from mig_fleet.rollout.stranding.strategy_change import format_change, requests_without_offer, under_strategy

    notes = [*adopted_nodes(kept), *missing_nodes(wave.wave, missing), *format_change(renamed, strategy)]
    cluster = Cluster(wave.cluster)
    released, slices = changes_at_release(cluster, wave, leaving)
    if not (targets or released or renamed):
        return {"plannedChanges": notes}
    slices, targets = {**slices, **dict.fromkeys(targets, wave.expected.gpus)}, {**released, **targets}
    pods, later = list_pods(wave, cluster), under_strategy(seen, strategy) if is_chosen else seen
    of_users, after = gpu_pods(pods, wave.namespace), {name: later.nodes[name] for name in renamed}
    found = planned_impact(seen, of_users, targets, slices, strategy, after)
    lost = requests_without_offer(seen, later, pods, wave.namespace, renamed)
    stranded, lines = planned_stranding(wave, later, pods, targets, slices, earlier, {each.pod for each in lost})
    found["plannedChanges"] = [*found.get("plannedChanges", []), *notes]
    number = {"podsUnschedulable": stranded + len(lost)}
    return found | {"podsUnschedulable": [*listed(lost), *lines], "impact": {**found["impact"], **number}}


def _observe(wave: Wave) -> Snapshot:
    return observe(wave.cluster, wave.reports_namespace, dra=wave.is_dra)


def _of(props: Props) -> tuple[object, ...]:
    return _desired(Wave.from_properties(props))


def _desired(wave: Wave) -> tuple[object, ...]:
    policy = wave.on_delete, wave.on_user_pods, wave.on_stranded_pods, wave.isolation
    desired = wave.config, wave.config_name, wave.expected.strategy, wave.expected.allocation
    return *connection_of(wave), desired, wave.nodes, wave.joining, policy
