"""Assignment: the config label on one wave's nodes. PINNED: this module's path and its class names are state.

Pulumi stores the provider by module path and class name, and loads it from the *old* state on destroy: never move or
rename either. The provider keeps no attributes, because they would be stored too.

A preview that finds nothing to do needs none of the steps of a change, so they are imported in the methods.
"""

from collections.abc import Iterable
from typing import Any

import pulumi
from pulumi.dynamic import (
    CheckResult,
    CreateResult,
    DiffResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from mig_fleet.cluster.errors import ClusterError
from mig_fleet.components.preview import check_wave, connection_of
from mig_fleet.observed.differences import assignment_drift, removed_nodes, taken_over
from mig_fleet.observed.ownership import belongs_to_another_wave, owned_by
from mig_fleet.observed.snapshot import Snapshot, observe
from mig_fleet.rollout.wave import Props, Wave, stored

CHECK_ONLY = ("stayingNodes", "declaredNodes")
"""Inputs that only `check` reads; they are not stored.

``stayingNodes``: the pool's nodes that keep what they offer in this update. ``declaredNodes``: every node of the
stack's pools, separated by blanks; one text, because each wave has a copy of it."""


class AssignmentProvider(ResourceProvider):
    """Writes `nvidia.com/mig.config`. Every step can be repeated, and a node with its config is not changed."""

    serialize_as_secret_always = False

    def check(self, olds: Props, news: Props) -> CheckResult:
        """Called for every wave in each preview and each up. Adds ``drift`` if others changed a node, and the impact of
        a planned change.
        """
        staying, declared = news.get("stayingNodes") or [], (news.get("declaredNodes") or "").split()
        found = check_wave(
            olds,
            {key: value for key, value in news.items() if key not in CHECK_ONLY},
            _desired,
            lambda wave: _drift(wave, declared),
            lambda wave: _impact(wave, staying),
        )
        try:
            return CheckResult({**found.inputs, **_ownership(olds, news, found.inputs, declared)}, found.failures)
        except ClusterError:
            return found

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """An update if the desired state differs or `check` found drift; never a replacement: the nodes still exist."""
        return DiffResult(changes=_of(olds) != _of(news) or bool(news.get("drift")))

    def create(self, props: Props) -> CreateResult:
        from mig_fleet.rollout.assign import assign

        assign(Wave.from_properties(props))
        return CreateResult(props["wave"], stored(props))

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        """Nodes that leave the wave in this update are released by a later one: in this one another wave may take them
        over, so that they are reconfigured only once. Those that left earlier are released before anything else.
        """
        from mig_fleet.rollout.assign import assign

        assign(Wave.from_properties(news), Wave.from_properties(olds))
        return UpdateResult(stored(news))

    def delete(self, _id: str, props: Props) -> None:
        """Called when a wave leaves the stack, and on destroy, while MIG Manager still runs."""
        from mig_fleet.rollout.assign import release

        release(Wave.from_properties(props))


class Assignment(Resource, module="mig", name="Assignment"):
    """The nodes of one wave carry one config name."""

    nodes: pulumi.Output[list[str]]

    def __init__(self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(AssignmentProvider(), name, props, opts)


def _ownership(olds: Props, news: Props, inputs: Props, declared: Iterable[str]) -> Props:
    """What `update` must know of nodes that one wave declares and another owns.

    A wave that waits takes ownership of its nodes even if it has no other reason for an update: the wave that owns them
    may be deleted in this update.
    """
    if not olds or pulumi.runtime.rpc.contains_unknowns(inputs):
        return {}
    wave = Wave.from_properties(inputs)
    nodes = _observe(wave).nodes
    waits = bool(news.get("held")) or news.get("blocked") is True
    if waits and "drift" not in inputs and _of(olds) == _desired(wave):
        members = [nodes[name] for name in wave.members if name in news["nodes"] and name in nodes]
        lost = [str(taken_over(node, wave.wave)) for node in members if belongs_to_another_wave(node, wave.wave)]
        return {"drift": lost, "blocked": True} if lost else {}
    elsewhere = {*declared} & owned_by(wave.wave, nodes, {*wave.members, *Wave.from_properties(olds).members}).keys()
    return {"ownedElsewhere": sorted(elsewhere)} if elsewhere else {}


def _drift(wave: Wave, declared: Iterable[str]) -> list[object]:
    nodes = _observe(wave).nodes
    leaving = owned_by(wave.wave, nodes, {*wave.members, *declared}).values()
    return [*assignment_drift(wave.wave, wave.config, wave.nodes, nodes, removed_nodes(leaving, wave.on_delete))]


def _impact(wave: Wave, staying: Iterable[str]) -> dict[str, list[str]]:
    """Pods are listed only if a node changes."""
    seen = _observe(wave)
    if all(name in seen.nodes and seen.nodes[name].config == wave.config for name in wave.nodes):
        return {}
    from mig_fleet.cluster.client import Cluster
    from mig_fleet.observed.gpu_pods import gpu_pods
    from mig_fleet.rollout.impact import planned_impact

    pods = gpu_pods(Cluster(wave.cluster).pods(), wave.namespace)
    return planned_impact(seen, pods, wave.nodes, wave.expected, staying)


def _observe(wave: Wave) -> Snapshot:
    return observe(wave.cluster, wave.reports_namespace)


def _of(props: Props) -> tuple[object, ...]:
    return _desired(Wave.from_properties(props))


def _desired(wave: Wave) -> tuple[object, ...]:
    policy = wave.on_delete, wave.on_user_pods, wave.isolation
    return *connection_of(wave), wave.config, wave.nodes, wave.joining, policy
