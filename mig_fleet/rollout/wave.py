"""One wave: what both of its providers are told, and what of it the state keeps."""

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

import pulumi

from mig_fleet.cluster.connection import ClusterArgs
from mig_fleet.observed.differences import Expected

Props = dict[str, Any]

NEWS = ("drift", "prunes", "changes", "disrupts", "strands", "needs", "capacity", "spared")
"""Inputs that `check` adds."""


WEDGED_S = 1800
"""A `pending` that is older is not worked on any more: MIG Manager waits five minutes for each of at most five operands
before it touches a GPU (mig-parted v0.15.0 reconfigure.go), and takes a new label value in any case."""

TIMEOUT_S = 3600
"""A wave whose MIG Manager had to be started over after :data:`WEDGED_S` still has the 25 minutes that it may need."""


class WaveArgs(TypedDict):
    """What both providers of a wave need to know. Everything is known at preview, so that policies and reviewers see
    it."""

    cluster: ClusterArgs
    namespace: str
    """Where MIG Manager runs."""
    reports: NotRequired[str]
    """Where the probes write their reports (default: ``namespace``)."""
    wave: str
    nodes: list[str]
    expected: Expected
    """What every node of the wave shall be in the end."""
    on_user_pods: NotRequired[str]
    """``refuse`` (default) to change a node whose slices are in use, ``wait`` for its pods, or ``evict`` them."""
    isolation: NotRequired[str]
    """``taint`` (default) the nodes during a change, or ``cordon`` them."""
    blocked: NotRequired[pulumi.Input[bool]]
    """Something before this failed: nothing is cut and nothing is looked for. The state keeps what it has; nodes that
    are new to the wave are marked as its own, so that the wave they were in does nothing to them when it goes."""
    held: NotRequired[bool]
    """The wave waits for a later update; nodes that are new to it are marked as its own, nothing else is done now."""
    wedged_s: NotRequired[int]
    """How long `pending` may last before it counts as stuck."""
    timeout_s: NotRequired[int]
    """For each step: giving the wave its config, verifying it, rolling it back. MIG Manager alone may need 25 minutes
    before it touches a GPU (mig-parted reconfigure.go)."""


def reports_of(props: Mapping[str, Any]) -> str:
    """The namespace of the probes' reports; a state from before they had one of their own means the operator's."""
    return str(props.get("reports") or props["namespace"])


def lasting(props: Mapping[str, Any]) -> Props:
    """The properties without what `check` adds, and without ``blocked``, which is of one update."""
    return {key: value for key, value in props.items() if key not in (*NEWS, "blocked")}
