"""Thresholds with which an alert cannot do its work: why, and what would work."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Final

from pydantic.alias_generators import to_camel

from mig_fleet.model.finding import Finding
from mig_fleet.monitoring.alerts.durations import duration
from mig_fleet.monitoring.alerts.thresholds import Limits, Thresholds

DAY_S: Final = 86_400
LONGEST: Final = {
    "window": (15 * DAY_S, "Prometheus keeps its series for 15 days, unless it is configured otherwise"),
    "wait": (365 * DAY_S, "nothing that is seen so late is worth an alert"),
}
"""Seconds, and why. The retention is the default of ``storage.tsdb.retention.time``."""


def mistakes(thresholds: Thresholds, limits: Limits) -> list[Finding]:
    """All of them; the path of each is that of the setting, ``sliceIdle.window``. Alerts that are off have none."""
    return [
        *_bounds(thresholds),
        *_windows(thresholds, limits),
        *_waits(thresholds, limits),
        *_too_long(thresholds),
    ]


def _bounds(thresholds: Thresholds) -> Iterator[Finding]:
    idle, under, memory = thresholds.slice_idle, thresholds.slice_underutilized, thresholds.slice_memory_pressure
    if idle:
        yield from _low("sliceIdle.bound", idle.bound, "activity")
    if under:
        yield from _low("sliceUnderutilized.bound", under.bound, "activity")
        yield from _low("sliceUnderutilized.memoryBound", under.memory_bound, "memory")
    if idle and under and 0 < under.bound <= idle.bound:
        yield _must(
            "sliceUnderutilized.bound",
            f"greater than sliceIdle.bound, {idle.bound}: below that a slice is idle, and only that alert fires",
            under.bound,
        )
    if memory:
        if memory.bound >= 1:
            yield _must(
                "sliceMemoryPressure.bound", "less than 1: no slice uses more than all its memory", memory.bound
            )
        elif memory.bound <= 0:
            yield _must("sliceMemoryPressure.bound", "greater than 0: every slice in use would fire", memory.bound)
        elif under and memory.bound <= under.memory_bound:
            yield _must(
                "sliceMemoryPressure.bound",
                f"greater than sliceUnderutilized.memoryBound, {under.memory_bound}: one slice could have too much "
                "memory and too little",
                memory.bound,
            )


def _low(path: str, bound: float, what: str) -> Iterator[Finding]:
    """A bound below which an alert fires."""
    if bound <= 0:
        yield _must(path, f"greater than 0: {what} is never below that", bound)
    elif bound >= 1:
        yield _must(path, f"less than 1: {what} is a share of the slice, and every slice would fire", bound)


def _windows(thresholds: Thresholds, limits: Limits) -> Iterator[Finding]:
    least = 2 * limits.interval
    windows = {
        "sliceIdle.window": thresholds.slice_idle,
        "sliceUnderutilized.window": thresholds.slice_underutilized,
        "xidError.window": thresholds.xid_error,
    }
    for path, threshold in windows.items():
        if threshold and threshold.window < least:
            reason = f"the exporter is read every {duration(limits.interval)}, and a window needs two values"
            yield _must(path, f"at least {duration(least)}: {reason}", duration(threshold.window))
    under, xid = thresholds.slice_underutilized, thresholds.xid_error
    if under and under.window < under.wait:
        yield _must(
            "sliceUnderutilized.window",
            f"at least as long as wait, {duration(under.wait)}: one busy window would restart the wait",
            duration(under.window),
        )
    if xid and least <= xid.window < xid.wait + least:
        yield _must(
            "xidError.wait",
            f"at most {duration(xid.window - least)}: a code is new for the window of "
            f"{duration(xid.window)}, and after that the alert cannot fire",
            duration(xid.wait),
        )


def _waits(thresholds: Thresholds, limits: Limits) -> Iterator[Finding]:
    stuck, isolated = thresholds.reconfiguration_stuck, thresholds.node_isolated
    if stuck and stuck.wait < limits.pending:
        yield _must(
            "reconfigurationStuck.wait",
            f"at least {duration(limits.pending)}, the longest rollout.wedgedAfter: until then an update waits for "
            "MIG Manager",
            duration(stuck.wait),
        )
    if isolated and isolated.wait <= limits.soak:
        yield _must(
            "nodeIsolated.wait",
            f"longer than {duration(limits.soak)}, the longest rollout.soak: a node is isolated for that time",
            duration(isolated.wait),
        )
    least = 2 * limits.interval
    telemetry = {
        "telemetryMissing.wait": thresholds.telemetry_missing,
        "slicesDifferFromConfig.wait": thresholds.slices_differ_from_config,
    }
    for path, threshold in telemetry.items():
        if threshold and threshold.wait < least:
            reason = f"the exporter is read every {duration(limits.interval)}, and one failed reading would fire"
            yield _must(path, f"at least {duration(least)}: {reason}", duration(threshold.wait))


def _too_long(thresholds: Thresholds) -> Iterator[Finding]:
    for alert in fields(thresholds):
        threshold = getattr(thresholds, alert.name)
        for name, (longest, reason) in LONGEST.items():
            if (seconds := getattr(threshold, name, 0)) > longest:
                text = f"at most {duration(longest)}: {reason}"
                yield _must(f"{to_camel(alert.name)}.{name}", text, duration(seconds))


def _must(path: str, text: str, found: object) -> Finding:
    return Finding(path, f"must be {text} (found {found!r})")
