"""`monitoring.alerts` of a stack file: ``false`` turns an alert off, a mapping changes it.

The defaults are those of :mod:`mig_fleet.monitoring.alerts.thresholds`, and have the same names.
"""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field

from mig_fleet.monitoring.alerts.thresholds import Severity, Thresholds
from mig_fleet.stack_file.closed import Closed
from mig_fleet.stack_file.scalars import Duration, Namespace

_DEFAULTS: Any = Thresholds()
"""None of its alerts is off."""

Bound = Annotated[float, Field(allow_inf_nan=False, strict=True)]


def _mapping_or_false(value: object) -> object:
    """None for ``false``: pydantic's errors then name the key of the mapping, without the member of a union."""
    if value is False:
        return None
    if not isinstance(value, Mapping | Closed):
        raise ValueError("must be false, or a mapping such as {wait: 30m}")
    return value


T = TypeVar("T")
_OrFalse = Annotated[T | None, BeforeValidator(_mapping_or_false)]


class SliceIdle(Closed):
    """The alert MIGSliceIdle."""

    severity: Severity = _DEFAULTS.slice_idle.severity
    wait: Duration = _DEFAULTS.slice_idle.wait
    window: Duration = _DEFAULTS.slice_idle.window
    bound: Bound = _DEFAULTS.slice_idle.bound
    except_namespaces: tuple[Namespace, ...] = _DEFAULTS.slice_idle.except_namespaces


class SliceUnderutilized(Closed):
    """The alert MIGSliceUnderutilized."""

    severity: Severity = _DEFAULTS.slice_underutilized.severity
    wait: Duration = _DEFAULTS.slice_underutilized.wait
    window: Duration = _DEFAULTS.slice_underutilized.window
    bound: Bound = _DEFAULTS.slice_underutilized.bound
    memory_bound: Bound = _DEFAULTS.slice_underutilized.memory_bound
    except_namespaces: tuple[Namespace, ...] = _DEFAULTS.slice_underutilized.except_namespaces


class SliceMemoryPressure(Closed):
    """The alert MIGSliceMemoryPressure."""

    severity: Severity = _DEFAULTS.slice_memory_pressure.severity
    wait: Duration = _DEFAULTS.slice_memory_pressure.wait
    bound: Bound = _DEFAULTS.slice_memory_pressure.bound
    except_namespaces: tuple[Namespace, ...] = _DEFAULTS.slice_memory_pressure.except_namespaces


class XidError(Closed):
    """The alert MIGXidError."""

    severity: Severity = _DEFAULTS.xid_error.severity
    wait: Duration = _DEFAULTS.xid_error.wait
    window: Duration = _DEFAULTS.xid_error.window


class NodeIsolated(Closed):
    """The alert MIGNodeIsolated."""

    severity: Severity = _DEFAULTS.node_isolated.severity
    wait: Duration | None = None


class ReconfigurationStuck(Closed):
    """The alert MIGReconfigurationStuck."""

    severity: Severity = _DEFAULTS.reconfiguration_stuck.severity
    wait: Duration | None = None


class ReconfigurationFailed(Closed):
    """The alert MIGReconfigurationFailed."""

    severity: Severity = _DEFAULTS.reconfiguration_failed.severity
    wait: Duration = _DEFAULTS.reconfiguration_failed.wait


class PodsPending(Closed):
    """The alert MIGPodsPending."""

    severity: Severity = _DEFAULTS.pods_pending.severity
    wait: Duration = _DEFAULTS.pods_pending.wait


class PoolExhausted(Closed):
    """The alert MIGPoolExhausted."""

    severity: Severity = _DEFAULTS.pool_exhausted.severity
    wait: Duration = _DEFAULTS.pool_exhausted.wait


class SlicesDifferFromConfig(Closed):
    """The alert MIGSlicesDifferFromConfig."""

    severity: Severity = _DEFAULTS.slices_differ_from_config.severity
    wait: Duration = _DEFAULTS.slices_differ_from_config.wait


class SlicesNotOffered(Closed):
    """The alert MIGSlicesNotOffered."""

    severity: Severity = _DEFAULTS.slices_not_offered.severity
    wait: Duration = _DEFAULTS.slices_not_offered.wait


class TelemetryMissing(Closed):
    """The alert MIGTelemetryMissing."""

    severity: Severity = _DEFAULTS.telemetry_missing.severity
    wait: Duration = _DEFAULTS.telemetry_missing.wait


class NodeLabelsNotExported(Closed):
    """The alert MIGNodeLabelsNotExported."""

    severity: Severity = _DEFAULTS.node_labels_not_exported.severity
    wait: Duration = _DEFAULTS.node_labels_not_exported.wait


class Alerts(Closed):
    """The alerts by their names without ``MIG``."""

    slice_idle: _OrFalse[SliceIdle] = SliceIdle()
    slice_underutilized: _OrFalse[SliceUnderutilized] = SliceUnderutilized()
    slice_memory_pressure: _OrFalse[SliceMemoryPressure] = SliceMemoryPressure()
    xid_error: _OrFalse[XidError] = XidError()
    node_isolated: _OrFalse[NodeIsolated] = NodeIsolated()
    reconfiguration_stuck: _OrFalse[ReconfigurationStuck] = ReconfigurationStuck()
    reconfiguration_failed: _OrFalse[ReconfigurationFailed] = ReconfigurationFailed()
    pods_pending: _OrFalse[PodsPending] = PodsPending()
    pool_exhausted: _OrFalse[PoolExhausted] = PoolExhausted()
    slices_differ_from_config: _OrFalse[SlicesDifferFromConfig] = SlicesDifferFromConfig()
    slices_not_offered: _OrFalse[SlicesNotOffered] = SlicesNotOffered()
    telemetry_missing: _OrFalse[TelemetryMissing] = TelemetryMissing()
    node_labels_not_exported: _OrFalse[NodeLabelsNotExported] = NodeLabelsNotExported()
