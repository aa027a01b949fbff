"""The gate: wait until every node of a wave is as it should be, help where help is allowed, give up where it is not."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from mig_fleet.cluster.errors import ClusterError, Forbidden, NoCredentials
from mig_fleet.failures import Refused
from mig_fleet.model import labels
from mig_fleet.observed.differences import Difference, Expected, Kind, differences
from mig_fleet.observed.snapshot import Look
from mig_fleet.rollout.context import POLL_S, Order
from mig_fleet.rollout.preflight import MANAGER_APP
from mig_fleet.rollout.recovery import PLUGIN_APP, Recovery

T = TypeVar("T")

FINAL = frozenset({Kind.GONE, Kind.RELABELLED})
"""No waiting changes these: they are somebody else's will."""

UNSEEN = frozenset({Kind.UNREPORTED, Kind.SILENT, Kind.UNREADABLE})
"""What only the probe can tell more about."""

BY_HAND = frozenset({Kind.GPUS, Kind.RESET, Kind.BARE})
"""What MIG Manager does not mend; where a hand just did, the probe tells it with its next look."""

LAGGING = UNSEEN | BY_HAND | {Kind.UNREADY, Kind.ALLOCATABLE, Kind.FEATURES}
"""What follows the slices by itself, a little later, or comes back."""

GFD_APP = "gpu-feature-discovery"
"""Label ``app`` of GPU Feature Discovery's pods (gpu-operator v26.7.0)."""

WITNESSES = {
    **dict.fromkeys(UNSEEN, ("the probe's", f"app.kubernetes.io/name={labels.PROBE}")),
    Kind.ALLOCATABLE: ("the device plugin's", f"app={PLUGIN_APP}"),
    Kind.FEATURES: ("GPU Feature Discovery's", f"app={GFD_APP}"),
}
"""Whose log knows more, and their pods; of other kinds MIG Manager's does."""

ABOUT_NODES = {
    Kind.GONE: ("the nodes that there are", "kubectl get nodes"),
    Kind.RELABELLED: ("who wrote the label", "kubectl get node {} --show-managed-fields -o yaml"),
    **dict.fromkeys((Kind.UNREADY, Kind.GPUS), ("the node's conditions and events", "kubectl describe node {}")),
}
"""What no log tells, and the command that does."""

CONVERGENCE_S = 120.0
"""GFD looks once a minute (its default interval), so labels and allocatable may lag this long behind NVML."""


def compare(seen: Look, expected: Mapping[str, Expected]) -> list[Difference]:
    """Every difference of a wave, node by node."""
    return [d for name in sorted(expected) for d in differences(expected[name], name, seen.nodes.get(name))]


def agreement(order: Order, expected: Mapping[str, Expected], recovery: Recovery) -> Look:
    """The first look without a difference; raises :class:`Refused` with what is wrong on which node and GPU.

    Patience by kind: a state that has not settled may take until the deadline; what lags behind NVML gets
    :data:`CONVERGENCE_S`; a failed or wrong node is helped as `recovery` allows; a missing node or a foreign label gets
    no time at all. An API server that does not answer for a while is waited for, too.
    """
    lagging_since: float | None = None
    while True:
        seen, found, helped = answered(lambda: _round(order, expected, recovery))
        if not found:
            return seen
        order.say(_progress(found, expected))
        behind = [d for d in found if d.kind in LAGGING or _may_have_a_cause(seen, d)]
        over = not helped and _hopeless(found, recovery)
        # Nodes that are only behind get their time even if another one is lost: the error shall not name them. So does
        # one that waits for its remedy behind them, and no more.
        lagging = not helped and (over or not any(d.kind is Kind.UNSETTLED for d in found))
        lagging_since = (lagging_since or time.monotonic()) if lagging else None
        late = lagging_since is not None and time.monotonic() - lagging_since > CONVERGENCE_S
        if order.late or late or (over and not behind):
            raise Refused(explained(order, found, expected, recovery))
        time.sleep(POLL_S)


def stays(order: Order, expected: Mapping[str, Expected], soak_s: float) -> None:
    """Watch a wave for a while; raises :class:`Refused` as soon as a node is not as it should be any more.

    What only lags (a report that is being written anew) is looked at again at the end.
    """
    until = time.monotonic() + soak_s
    while time.monotonic() < until:
        order.say(f"as declared; stays under watch for {soak_s:.0f} s")
        time.sleep(min(POLL_S, max(0.0, until - time.monotonic())))
        found = compare(answered(order.look), expected)
        if any(d.kind not in LAGGING for d in found) or (found and time.monotonic() >= until):
            lines = "\n  ".join(sorted(map(str, found)))
            raise Refused(f"did not stay as declared while it was watched for {soak_s:.0f} s:\n  {lines}")


def _round(order: Order, expected: Mapping[str, Expected], recovery: Recovery) -> tuple[Look, list[Difference], bool]:
    """One look, what is wrong in it, and whether something was done about that."""
    seen = order.look()
    found = compare(seen, expected)
    return seen, found, bool(found) and recovery.help(seen, found)


def answered(ask: Callable[[], T]) -> T:
    """Patient with an API server that does not answer for a while; raises the last ``ClusterError`` else, and at once
    where there are no credentials or no rights.
    """
    started = time.monotonic()
    while True:
        try:
            return ask()
        except (Forbidden, NoCredentials):
            raise
        except ClusterError:
            if time.monotonic() - started > CONVERGENCE_S:
                raise
        time.sleep(POLL_S)


def _hopeless(found: Iterable[Difference], recovery: Recovery) -> bool:
    """A node is beyond help, and no other one of the wave is being changed at this moment."""
    found = list(found)
    working = any(d.kind is Kind.UNSETTLED for d in found)
    return not working and any(d.kind in FINAL or recovery.is_over(d) for d in found)


def _may_have_a_cause(seen: Look, difference: Difference) -> bool:
    """Whether NVML may still have something to say of a failure."""
    return difference.kind is Kind.FAILED and not seen.nodes[difference.node].is_heard


def _progress(found: Iterable[Difference], expected: Mapping[str, Expected]) -> str:
    waiting = {d.node: d.text for d in found}
    first = min(waiting)
    text = f"{len(expected) - len(waiting)} of {len(expected)} nodes verified; {first}: {waiting[first]}"
    return text + (f" (and {len(waiting) - 1} more)" if len(waiting) > 1 else "")


def explained(order: Order, found: Iterable[Difference], expected: Mapping[str, Expected], recovery: Recovery) -> str:
    """Which nodes, which GPUs, what was tried, where to look."""
    found = sorted(found, key=str)
    nodes = sorted({d.node for d in found})
    lines = [f"{len(nodes)} of {len(expected)} nodes of {order.wave} are not as the stack says:"]
    lines += [f"  {d}" for d in found]
    lines += [f"  {name}: {recovery.tried[name]}" for name in nodes if name in recovery.tried]
    waited = time.monotonic() - order.started
    lines.append(f"  waited {waited:.0f} s of at most {order.timeout_s:.0f} s")
    return "\n".join([*lines, *_where_to_look(order, found)])


def _where_to_look(order: Order, found: Iterable[Difference]) -> list[str]:
    """One line for each who should have done better, by the first node; what a sentence tells how to mend has none."""
    lines: dict[str, str] = {}
    for difference in found:
        if difference.kind not in (Kind.BARE, Kind.RESET):
            lines.setdefault(*_witness(order, difference))
    return [f"Look at {who}: {command}" for who, command in lines.items()]


def _witness(order: Order, difference: Difference) -> tuple[str, str]:
    """Who or what knows more, and the command that asks."""
    if difference.kind in ABOUT_NODES:
        who, command = ABOUT_NODES[difference.kind]
        return who, command.format(difference.node)
    who, selector = WITNESSES.get(difference.kind, ("MIG Manager's", f"app={MANAGER_APP}"))
    kubectl = f"kubectl -n {order.reports if difference.kind in UNSEEN else order.namespace}"
    pods = f"{kubectl} get pods -o name -l {selector} --field-selector spec.nodeName={difference.node}"
    return f"{who} log", f"{kubectl} logs $({pods})"
