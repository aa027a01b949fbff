"""When each alert fires. All defaults are here; :mod:`mig_fleet.monitoring.alerts.mistakes` has what cannot work.

Durations are in seconds, bounds are ratios from 0 to 1.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    """The label ``severity``, by which Alertmanager routes."""

    INFO = "info"
    """Money is wasted; no pod and no node suffers."""
    WARNING = "warning"
    """Pods or nodes suffer, or will."""
    CRITICAL = "critical"
    """Capacity is lost until an administrator acts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """An alert of nodes or of pods."""

    severity: Severity = Severity.WARNING
    wait: int
    """How long the condition must hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceIdle(Threshold):
    """A slice with a pod is idle while its highest activity within ``window`` is below ``bound``."""

    window: int
    bound: float
    except_namespaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceUnderutilized(Threshold):
    """A slice with a pod is too large while its average activity within ``window`` is below ``bound``, and the most
    memory that it used is below ``memory_bound``.
    """

    window: int
    bound: float
    memory_bound: float
    except_namespaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceMemoryPressure(Threshold):
    """The memory of a slice is almost full while more than ``bound`` of it is used."""

    bound: float
    except_namespaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class XidError(Threshold):
    """``window`` is how long the alert of a new code lasts."""

    window: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What the settings of a stack let last, in seconds; the defaults are those of a stack without settings."""

    pending: int = 1800
    """The longest ``wedgedAfter`` of a pool. MIG Manager itself may stay pending for 25 minutes without a fault."""
    isolated: int = 7200
    """The longest time for which an update that succeeds may isolate a node."""
    soak: int = 0
    """The longest soak time of a pool, during which a node is always isolated."""
    interval: int = 30
    """Between two scrapes of the exporter."""


MARGIN_S: Final = 300
"""By default ``node_isolated`` and ``reconfiguration_stuck`` fire this much later than the longest time without a
fault."""


IDLE_BELOW: Final = 0.01
"""Activity: the noise of the field on an idle GPU (gpu-pruner v0.5.0, release notes)."""
FULL_ABOVE: Final = 0.95
"""Share of a slice's memory: more than a server has that reserves 0.9 of it when it starts, the default of vLLM."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The threshold of each alert; None for an alert that is off."""

    slice_idle: SliceIdle | None = SliceIdle(severity=Severity.INFO, wait=1800, window=1800, bound=IDLE_BELOW)
    slice_underutilized: SliceUnderutilized | None = SliceUnderutilized(
        severity=Severity.INFO, wait=3600, window=21600, bound=0.15, memory_bound=0.5
    )
    slice_memory_pressure: SliceMemoryPressure | None = SliceMemoryPressure(wait=300, bound=FULL_ABOVE)
    xid_error: XidError | None = XidError(wait=0, window=600)
    node_isolated: Threshold | None = Threshold(wait=Limits().isolated + MARGIN_S)
    reconfiguration_stuck: Threshold | None = Threshold(severity=Severity.CRITICAL, wait=Limits().pending + MARGIN_S)
    reconfiguration_failed: Threshold | None = Threshold(severity=Severity.CRITICAL, wait=300)
    pods_pending: Threshold | None = Threshold(wait=900)
    pool_exhausted: Threshold | None = Threshold(wait=600)
    slices_differ_from_config: Threshold | None = Threshold(wait=900)
    slices_not_offered: Threshold | None = Threshold(severity=Severity.CRITICAL, wait=900)
    telemetry_missing: Threshold | None = Threshold(wait=900)
    node_labels_not_exported: Threshold | None = Threshold(wait=900)
