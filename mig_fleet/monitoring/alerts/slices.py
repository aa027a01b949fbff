"""Alerts about single slices: their work, their memory, their errors."""

from collections.abc import Iterator

from mig_fleet.monitoring import series
from mig_fleet.monitoring.alerts.definition import NOT_CHANGING, Definition
from mig_fleet.monitoring.alerts.durations import duration
from mig_fleet.monitoring.alerts.thresholds import (
    SliceIdle,
    SliceMemoryPressure,
    SliceUnderutilized,
    Thresholds,
    XidError,
)

SLICE = "slice {{ $labels.slice }} ({{ $labels.profile }}) of GPU {{ $labels.gpu }} on {{ $labels.node }}"
POD = "{{ $labels.namespace }}/{{ $labels.pod }}"
LONGEST_GAP = "6h"
"""A code that was there before a gap in the telemetry of this length is not new after it."""

_LONGEST_EVALUATION_S = 300
"""The longest interval of evaluation that is expected, in which recorded series have one value. The configuration of
Prometheus decides it, not the stack file."""


def definitions(thresholds: Thresholds) -> Iterator[Definition]:
    """Those that are on."""
    if thresholds.slice_idle:
        yield _idle(thresholds.slice_idle)
    if thresholds.slice_underutilized:
        yield _underutilized(thresholds.slice_underutilized, thresholds.slice_idle)
    if thresholds.slice_memory_pressure:
        yield _memory_pressure(thresholds.slice_memory_pressure)
    if thresholds.xid_error:
        yield _xid(thresholds.xid_error)


def _idle(idle: SliceIdle) -> Definition:
    activity, window = series.ACTIVITY + _with_pod(idle), duration(idle.window)
    return Definition(
        "MIGSliceIdle",
        # The pod still has the slice: a window has values of pods that are gone, too. And it had it when the window
        # began: a pod that still loads its model is new, not idle.
        f"max_over_time({activity}[{window}]) < {idle.bound} and {activity} "
        f"and {_before(activity, idle.window)} {NOT_CHANGING}",
        idle,
        f"Pod {POD} does not use its {{{{ $labels.profile }}}} slice",
        f"The activity of {SLICE} was never above {{{{ $value | humanizePercentage }}}} for "
        f"{duration(idle.window + idle.wait)}. Other pods cannot have the slice.",
        "kubectl -n {{ $labels.namespace }} describe pod {{ $labels.pod }}",
    )


def _underutilized(under: SliceUnderutilized, idle: SliceIdle | None) -> Definition:
    pods = _with_pod(under)
    activity, memory, window = series.ACTIVITY + pods, series.MEMORY_RATIO + pods, duration(under.window)
    expr = (
        f"avg_over_time({activity}[{window}]) < {under.bound} and max_over_time({memory}[{window}]) < "
        # A pod that is newer than that has no average yet.
        f"{under.memory_bound} and {activity} and {_before(activity, under.window * 3 // 4)} {NOT_CHANGING}"
    )
    if idle:
        # When MIGSliceIdle fires, the highest activity of all its windows is below its bound.
        reach = duration(idle.window + idle.wait)
        expr += f" unless max_over_time({series.ACTIVITY}{_with_pod(idle)}[{reach}]) < {idle.bound}"
    return Definition(
        "MIGSliceUnderutilized",
        expr,
        under,
        f"Pod {POD} uses {{{{ $value | humanizePercentage }}}} of its {{{{ $labels.profile }}}} slice",
        f"On average over {window}, {SLICE} was active for {{{{ $value | humanizePercentage }}}} of the time, and its "
        f"memory was never more than {under.memory_bound:.0%} full. A smaller profile may be enough. On a GPU with "
        "different profiles DCGM reports too little for the larger ones (NVIDIA/DCGM issues 138 and 248).",
        "kubectl -n {{ $labels.namespace }} describe pod {{ $labels.pod }}",
    )


def _memory_pressure(memory: SliceMemoryPressure) -> Definition:
    return Definition(
        "MIGSliceMemoryPressure",
        f"{series.MEMORY_RATIO}{_with_pod(memory)} > {memory.bound} {NOT_CHANGING}",
        memory,
        f"The memory of the slice of pod {POD} is {{{{ $value | humanizePercentage }}}} full",
        f"The next allocation on {SLICE} may fail. A server that reserves its memory when it starts always has a full "
        "slice: leave out its namespace with exceptNamespaces.",
        "kubectl -n {{ $labels.namespace }} logs {{ $labels.pod }} -c {{ $labels.container }} --tail=50",
    )


def _xid(xid: XidError) -> Definition:
    window = duration(xid.window)
    before = f"last_over_time({series.XID}[{LONGEST_GAP}] offset {window})"
    return Definition(
        "MIGXidError",
        # The exporter repeats the last code for ever, so only a code that is another one than before is news. An
        # isolated node is not silent: hardware may have failed there.
        f'{series.XID} > 0 unless {series.XID} == {before} unless on (node) {series.CHANGING}{{reason="pending"}}',
        xid,
        "XID {{ $value }} on GPU {{ $labels.gpu }} of {{ $labels.node }}",
        "The driver reported XID {{ $value }} for {{ if $labels.slice }}slice {{ $labels.slice }} "
        "({{ $labels.profile }}) of {{ end }}GPU "
        f"{{{{ $labels.uuid }}}}. This alert ends after {window}: it reports a fact, not a state. The same code once "
        "more is not seen, and with MIG many codes never reach the exporter.",
        "kubectl describe node {{ $labels.node }}",
    )


def _before(rows: str, seconds: int) -> str:
    """The rows that were there so long ago, or a little earlier: the telemetry may have had a gap just then."""
    return f"last_over_time({rows}[{duration(max(seconds // 3, _LONGEST_EVALUATION_S))}] offset {duration(seconds)})"


def _with_pod(threshold: SliceIdle | SliceUnderutilized | SliceMemoryPressure) -> str:
    """The label matchers of slices that have a pod, without the namespaces that are left out."""
    left_out = "|".join(threshold.except_namespaces)
    return f'{{pod!="",namespace!~"{left_out}"}}' if left_out else '{pod!=""}'
