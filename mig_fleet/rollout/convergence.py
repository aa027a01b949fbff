"""Wait until every node of a wave is as expected; recover nodes if allowed, and stop early if waiting cannot help."""

import time
from collections.abc import Iterable, Mapping

from mig_fleet.failures import Refused
from mig_fleet.model import labels
from mig_fleet.observed.differences import wave_differences
from mig_fleet.observed.drift import Difference, DriftClass
from mig_fleet.observed.expected import Expected
from mig_fleet.observed.followed_fleet import FollowedFleet
from mig_fleet.observed.operands import DEVICE_PLUGIN, DRA_PLUGIN, FEATURE_DISCOVERY, MIG_MANAGER
from mig_fleet.observed.snapshot import Snapshot
from mig_fleet.rollout.context import RolloutContext
from mig_fleet.rollout.recovery import Recovery
from mig_fleet.rollout.silent_probes import SilentProbes

FINAL = frozenset(
    {DriftClass.NODE_MISSING, DriftClass.CONFIG_CHANGED, DriftClass.RESOURCE_SHARED, DriftClass.DYNAMIC_MIG}
)
"""Another user or controller made these changes, so no wait resolves them."""

NEEDS_REPORT = frozenset({DriftClass.REPORT_MISSING, DriftClass.REPORT_STALE, DriftClass.DRIVER_ERROR})
"""Only the probe's log explains these."""

BY_HAND = frozenset({DriftClass.GPU_COUNT, DriftClass.RESET_PENDING, DriftClass.BARE_INSTANCE})
"""MIG Manager does not repair these; if a user repaired one just now, the probe's next report shows it."""

LAGGING = (
    NEEDS_REPORT
    | BY_HAND
    | {
        DriftClass.NOT_READY,
        DriftClass.ALLOCATABLE_STALE,
        DriftClass.DEVICES_STALE,
        DriftClass.GFD_LABELS_STALE,
    }
)
"""These usually catch up with NVML without a remedy, a little later."""

LOGS = {
    **dict.fromkeys(NEEDS_REPORT, ("the probe's", f"app.kubernetes.io/name={labels.PROBE}")),
    DriftClass.ALLOCATABLE_STALE: ("the device plugin's", f"app={DEVICE_PLUGIN}"),
    DriftClass.DEVICES_STALE: ("the DRA driver's", "=".join(DRA_PLUGIN)),
    DriftClass.GFD_LABELS_STALE: ("GPU Feature Discovery's", f"app={FEATURE_DISCOVERY}"),
}
"""The responsible component's log, and the selector of its pods; for other classes it is MIG Manager's."""

NODE_COMMANDS = {
    DriftClass.NODE_MISSING: ("the nodes of the cluster", "kubectl get nodes"),
    DriftClass.RESOURCE_SHARED: (
        f"the device plugin's config, which must not share it (the default, or the node's {labels.PLUGIN_CONFIG})",
        "kubectl get clusterpolicies.nvidia.com -o yaml",
    ),
    DriftClass.DYNAMIC_MIG: (
        "the feature gates of NVIDIA's DRA driver, and at the devices that it publishes",
        "kubectl get resourceslices --field-selector spec.nodeName={} -o yaml",
    ),
    DriftClass.CONFIG_CHANGED: ("the writers of the label", "kubectl get node {} --show-managed-fields -o yaml"),
    **dict.fromkeys(
        (DriftClass.NOT_READY, DriftClass.GPU_COUNT),
        ("the node's conditions and events", "kubectl describe node {}"),
    ),
}
"""Differences that no log explains, and the command to run."""

GPU_LOST = "GPU is lost"
"""NVML's text for a GPU that fell off the bus (nvmlErrorString of NVML_ERROR_GPU_IS_LOST; XID 79). Only the kernel log
explains it, and only a reboot or a repair of the node brings the GPU back."""

KERNEL_LOG = (
    "the kernel log of {0} for XID 79, then reboot {0}: a GPU that fell off the bus comes back no other way",
    "dmesg -T | grep -i xid",
)

CONVERGENCE_S = 120.0
"""Seconds. GFD reads once a minute (its default interval), so labels and allocatable may lag this long behind NVML."""


def wait_for_convergence(context: RolloutContext, expected: Mapping[str, Expected], recovery: Recovery) -> Snapshot:
    """The first snapshot without a difference; raises :class:`Refused` with every node, GPU and difference.

    How long it waits depends on the class: MIG Manager may work until the deadline; a difference that lags behind NVML
    may last for :data:`CONVERGENCE_S`, but only for ``GRACE_S`` if the probes cannot report
    (:mod:`mig_fleet.rollout.silent_probes`); a failed or wrong node is recovered as ``recovery`` allows; a missing node
    or a label that another client wrote is final. An API server that fails is asked again for
    :data:`~mig_fleet.rollout.context.RETRY_S`.
    """
    lagging_since: float | None = None
    silent, fleet = SilentProbes(), context.follow()
    while True:
        seen, found, recovering = context.retry(lambda: _observe(fleet, expected, recovery))
        if not found:
            context.finish_progress(f"{len(expected)} of {len(expected)} nodes verified")
            return seen
        context.progress(_progress(found, expected))
        lagging = [d for d in found if d.drift in LAGGING or _report_may_explain(seen, d)]
        given_up = not recovering and _cannot_converge(found, recovery)
        # Nodes that only lag get their full time even if another node is lost; otherwise the error would list them.
        # After that, no further remedy is started.
        working = any(d.drift is DriftClass.NOT_RECONCILED for d in found)
        is_lagging = not recovering and (given_up or not working)
        lagging_since = (lagging_since or time.monotonic()) if is_lagging else None
        lagged_out = lagging_since is not None and time.monotonic() - lagging_since > CONVERGENCE_S
        cannot_report = silent.cannot_report(seen, found)
        if context.is_late or lagged_out or cannot_report or (given_up and not lagging):
            raise Refused(explain(context, silent.explain(seen, found), expected, recovery))
        context.await_changes(fleet)


def soak(context: RolloutContext, expected: Mapping[str, Expected]) -> None:
    """Watch a wave for its soak time; raises :class:`Refused` as soon as a node is no longer as expected.

    A difference that only lags (a report that is being written) counts only if it is there at the end.
    """
    soak_s = context.wave.soak_seconds
    until, fleet = time.monotonic() + soak_s, context.follow()
    while time.monotonic() < until:
        context.progress(f"as declared; watched for {soak_s:.0f} s")
        context.await_changes(fleet)
        found = wave_differences(expected, context.retry(fleet.observe).nodes)
        if any(d.drift not in LAGGING for d in found) or (found and time.monotonic() >= until):
            lines = "\n  ".join(sorted(map(str, found)))
            raise Refused(f"did not stay as declared during its soak time of {soak_s:.0f} s:\n  {lines}")
    context.finish_progress(f"as declared for {soak_s:.0f} s")


def explain(
    context: RolloutContext, found: Iterable[Difference], expected: Mapping[str, Expected], recovery: Recovery
) -> str:
    """Which nodes, which GPUs, which remedies were tried, where to look."""
    found = sorted(found, key=str)
    nodes = sorted({d.node for d in found})
    lines = [f"{len(nodes)} of {len(expected)} nodes of {context.wave.wave} are not as the stack declares:"]
    lines += [f"  {d}" for d in found]
    lines += [f"  {name}: {outcome}" for name in nodes if (outcome := recovery.outcome(name))]
    lines.append(f"  waited {context.elapsed_s:.0f} s of at most {context.wave.timeout_seconds:.0f} s")
    return "\n".join([*lines, *_where_to_look(context, found)])


def _observe(
    fleet: FollowedFleet, expected: Mapping[str, Expected], recovery: Recovery
) -> tuple[Snapshot, list[Difference], bool]:
    """A snapshot, its differences, and whether a remedy was started now."""
    seen = fleet.observe()
    found = wave_differences(expected, seen.nodes)
    recovering = True
    try:
        recovering = bool(found) and recovery.recover(seen, found, expected)
    finally:
        if recovering:
            fleet.forget()  # also after a request that failed: others may have been written
    return seen, found, recovering


def _cannot_converge(found: Iterable[Difference], recovery: Recovery) -> bool:
    """Whether a node cannot converge, while MIG Manager works on no node of the wave."""
    found = list(found)
    working = any(d.drift is DriftClass.NOT_RECONCILED for d in found)
    return not working and any(d.drift in FINAL or recovery.is_exhausted(d) for d in found)


def _report_may_explain(seen: Snapshot, difference: Difference) -> bool:
    """Whether the probe has not yet reported what NVML shows after a failure."""
    is_failure = difference.drift is DriftClass.MANAGER_FAILED
    return is_failure and not seen.nodes[difference.node].has_current_report


def _progress(found: Iterable[Difference], expected: Mapping[str, Expected]) -> str:
    waiting = {d.node: d.text for d in found}
    first = min(waiting)
    text = f"{len(expected) - len(waiting)} of {len(expected)} nodes verified; {first}: {waiting[first]}"
    return text + (f" (and {len(waiting) - 1} more)" if len(waiting) > 1 else "")


def _where_to_look(context: RolloutContext, found: Iterable[Difference]) -> list[str]:
    """One `Look at` line per responsible component, except where the difference names its fix."""
    lines: dict[str, str] = {}
    for difference in found:
        if difference.drift not in (DriftClass.BARE_INSTANCE, DriftClass.RESET_PENDING):
            lines.setdefault(*_source(context, difference))
    return [f"Look at {what}: {command}" for what, command in lines.items()]


def _source(context: RolloutContext, difference: Difference) -> tuple[str, str]:
    """The log or object that shows more, and the command that prints it."""
    if GPU_LOST in difference.text:
        what, command = KERNEL_LOG
        return what.format(difference.node), command
    if difference.drift in NODE_COMMANDS:
        what, command = NODE_COMMANDS[difference.drift]
        return what, command.format(difference.node)
    component, selector = LOGS.get(difference.drift, ("MIG Manager's", f"app={MIG_MANAGER}"))
    wave = context.wave
    namespaces = {DriftClass.DEVICES_STALE: wave.dra_namespace, **dict.fromkeys(NEEDS_REPORT, wave.reports_namespace)}
    kubectl = f"kubectl -n {namespaces.get(difference.drift, wave.namespace)}"
    pods = f"{kubectl} get pods -o name -l {selector} --field-selector spec.nodeName={difference.node}"
    return f"{component} log", f"{kubectl} logs $({pods})"
