"""Verification: a wave is done when NVML, the kubelet and GFD agree. PINNED: this module's path and its class names are
state.

Pulumi stores the provider by module path and class name, and loads it from the *old* state on destroy: never move or
rename either. The provider keeps no attributes, because they would be stored too.

A preview that finds nothing to do needs none of the steps of a change, so they are imported in the methods.
"""

from typing import Any

import pulumi
from pulumi.dynamic import (
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    UpdateResult,
)

from mig_fleet.cluster.errors import ClusterError
from mig_fleet.components.cancellation import listen_for_cancel
from mig_fleet.components.connection_identity import with_newest_credentials
from mig_fleet.components.preview import check_wave, connection_of, with_known_owner
from mig_fleet.components.provider import Provider
from mig_fleet.components.resource import Resource
from mig_fleet.model.reported_slices import BY_NODE, REPORTED, by_node, group
from mig_fleet.observed.differences import verification_drift
from mig_fleet.observed.drift import Difference
from mig_fleet.observed.probe_health import silent_nodes, with_problems
from mig_fleet.observed.snapshot import observe
from mig_fleet.rollout.wave import Props, Wave, stored

OUTPUTS = (REPORTED, BY_NODE, "remedies")
"""What a state has beside the inputs."""


class VerificationProvider(Provider):
    """Waits until a wave's nodes are as expected, recovers them if allowed, and restores their scheduling."""

    def check(self, olds: Props, news: Props) -> CheckResult:
        """Called for every wave in each preview and each up. Adds ``drift``, the differences a reviewer must see, and
        ``unfinishedNodes``, the nodes that an earlier update left half done.
        """
        found = check_wave(olds, news, _drift)
        return CheckResult({**found.inputs, **_unfinished(olds, found.inputs)}, found.failures)

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """An update if the desired state differs or `check` found drift; never a replacement: the nodes still exist."""
        changed = _desired(Wave.from_properties(olds)) != _desired(Wave.from_properties(news))
        return DiffResult(changes=changed or bool(news.get("drift")))

    def create(self, props: Props) -> CreateResult:
        return CreateResult(props["wave"], _verified(props, {}))

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        return UpdateResult(_verified(news, olds))

    def read(self, id_: str, props: Props) -> ReadResult:
        """Called by `pulumi refresh`: the slices that the nodes have now become the state's."""
        from mig_fleet.rollout.verify import read_slices

        props = with_newest_credentials(props)
        slices = read_slices(Wave.from_properties(props))
        is_earlier = props.get(BY_NODE) is not None  # a refresh is no reason to change the shape of a state
        return ReadResult(id_, {**props, **({BY_NODE: slices} if is_earlier else {REPORTED: group(slices)})})


class Verification(Resource, module="mig", name="Verification"):
    """A wave with verified slices."""

    reported: pulumi.Output[dict[str, str]]
    """The slices that NVML reports on the GPUs of a node, ``GPU 0-7: 7x 1g.10gb`` → the names of the nodes that have
    them, one a line."""
    slices: pulumi.Output[dict[str, str]]
    """Node → slices, in the state of a wave that has not changed since an earlier release; otherwise missing."""
    remedies: pulumi.Output[list[str]]
    """The remedies that were used in the last update, one sentence per node."""

    def __init__(self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(VerificationProvider(), name, {**props, **dict.fromkeys(OUTPUTS)}, opts)


def _verified(props: Props, olds: Props) -> Props:
    """A wave that waits for a later update is not verified, and keeps its outputs."""
    if props.get("held"):
        return {**stored(props), REPORTED: group(before) if (before := by_node(olds)) else None, "remedies": None}
    listen_for_cancel()
    from mig_fleet.rollout.verify import verify

    return {**stored(props), **verify(Wave.from_properties(props))}


def _drift(wave: Wave) -> list[Difference]:
    """The differences of a wave; a report that is missing or stale with what is wrong with its probe, and what cannot
    be repaired with the pods that prevent it.
    """
    seen = observe(wave.cluster, wave.reports_namespace, dra=wave.is_dra)
    found = verification_drift(wave.expected, wave.nodes, seen.nodes, wave.config_name)
    if not found:
        return []
    from mig_fleet.rollout.repair_obstacles import with_obstacles

    return with_obstacles(wave, seen, with_problems(found, seen.probe_problems(silent_nodes(found))))


def _unfinished(olds: Props, inputs: Props) -> Props:
    """``unfinishedNodes``, if there are any. Nothing else is imported for a wave whose nodes are all schedulable
    and none of them failed.
    """
    inputs = with_known_owner(inputs, olds)
    from mig_fleet.rollout.engine_run import is_changed

    if inputs.get("blocked") or is_changed(inputs["wave"]) or pulumi.runtime.rpc.contains_unknowns(inputs):
        return {}
    wave = Wave.from_properties(inputs)
    planned = not olds or _desired(Wave.from_properties(stored(olds))) != _desired(wave)
    try:
        nodes = observe(wave.cluster, wave.reports_namespace, dra=wave.is_dra).nodes
    except ClusterError:
        return {}
    there = (nodes[name] for name in wave.members if name in nodes)
    if not planned and not any(node.isolated or node.state == "failed" for node in there):
        return {}
    from mig_fleet.rollout.unfinished import unfinished_nodes

    lines = unfinished_nodes(wave, nodes, planned)
    return {"unfinishedNodes": lines} if lines else {}


def _desired(wave: Wave) -> tuple[object, ...]:
    expected = wave.expected
    return (
        *connection_of(wave),
        wave.nodes,
        (expected.config, expected.gpus, expected.strategy, expected.allocation, wave.config_name),
        (wave.on_failure, wave.recovery),
    )
