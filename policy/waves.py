"""Reads the waves that a program registers, as the engine passes them to a policy."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mig_fleet.model.layouts import GpuGroup, Layout
from mig_fleet.model.wave_nodes import node_names
from mig_fleet.observed.expected import Expected
from mig_fleet.policies.pool_facts import PoolFacts
from mig_fleet.policies.wave_facts import Impact, WaveFacts
from mig_fleet.policy.known import UNKNOWN, each, get

_POOL = re.compile(r"(.+)-(?:canary|wave-[01]+)")
_CONNECTION = (("cluster", "kubeconfig"), ("cluster", "context"), ("namespace",), ("reportsNamespace",))
"""Paths without which a preview observes nothing."""


def now() -> datetime:
    """The moment of the check; tests replace it."""
    return datetime.now(UTC)


def read_pool(props: Mapping[str, Any]) -> PoolFacts:
    """The layout of a wave. Raises :class:`mig_fleet.model.errors.MigError`, and the SDK's error for an unknown value.

    Reads single keys, never the whole mapping: access to one unknown value would switch the policy off
    (pulumi-policy #258).
    """
    expected = Expected.from_properties(props["expected"])
    groups = tuple(GpuGroup((index,), profiles) for index, profiles in enumerate(expected.gpus))
    layout = Layout("declared", expected.gpu, groups, expected.confirmed)
    return PoolFacts(props["wave"], expected.gpu, len(groups), layout, expected.strategy, expected.allocation)


def read_wave(urn: str, props: Mapping[str, Any]) -> WaveFacts:
    """A wave by its assignment. Raises the SDK's error if its name, nodes or layout is not known."""
    expected, name = Expected.from_properties(props["expected"]), str(props["wave"])
    pool = _POOL.fullmatch(name)
    return WaveFacts(
        name=name,
        pool=pool[1] if pool else name,
        gpu=expected.gpu,
        nodes=node_names(props),
        gpus=expected.gpus,
        strategy=expected.strategy,
        allocation=expected.allocation,
        stack=_stack_of(urn),
        now=now(),
        on_user_pods=_known(props, "onUserPods"),
        timeout_seconds=_known(props, "timeoutSeconds"),
        cost_per_hour=_known(props, "costPerHourUsd"),
        impact=_impact(props),
    )


def _stack_of(urn: str) -> str:
    """The stack in ``urn:pulumi:<stack>::<project>::<type>::<name>``; the SDK does not always know its name here."""
    return urn.removeprefix("urn:pulumi:").partition("::")[0]


def _known(props: Mapping[str, Any], key: str) -> Any:
    found = get(props, key)
    return None if found is UNKNOWN else found


def _impact(props: Mapping[str, Any]) -> Impact | None:
    """What the preview added, which is nothing if no node changes; None if it could not observe the cluster."""
    nodes, pods = get(props, "impact", "nodes"), get(props, "impact", "podsLosingSlices")
    if UNKNOWN in (nodes, pods, *(get(props, *path) for path in _CONNECTION)) or get(props, "notObserved"):
        return None
    return Impact(tuple(map(str, each(nodes))), int(pods or 0))
