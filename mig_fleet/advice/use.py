"""How much the slices of one profile are used: all slices of a layout's GPU group, on all of its nodes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mig_fleet.advice.measurement import SIZED_BY, Measurement, Quantity
from mig_fleet.advice.window import Window
from mig_fleet.monitoring import series

STEADY: Final = 1.02
RESERVED: Final = 0.85
"""A server reserves its memory at the start if the most is less than 1.02 times the mean, and more than 0.85 of the
slice (vLLM and TensorFlow do): what it uses of it is not known. JAX reserves 0.75 by default and is not recognized
(docs.jax.dev, "GPU memory allocation")."""


@dataclass(frozen=True, slots=True)
class Use:
    """The largest use of any slice. A value is None if it was not measured."""

    slices: int
    """As declared."""
    coverage: float
    """Share of the slices' time, 0 to 1, that was measured while a pod had the slice."""
    reported: float
    """Share of the slices' time, 0 to 1, that the exporter reported, with or without a pod."""
    busy: float | None = None
    """Share of the compute, 0 to 1."""
    bandwidth: float | None = None
    """Share of the memory bandwidth, 0 to 1."""
    memory: float | None = None
    """Bytes."""
    preallocated: bool = False
    """Whether any slice has memory that is reserved at the start."""
    sm_measured: bool = False
    """Whether SM activity was measured, too, most of that time."""
    missing: tuple[str, ...] = ()
    """Recorded series without any value."""


def of_slices(declared: int, measured: Iterable[Measurement], window: Window) -> Use:
    """The use of ``declared`` slices; those that were not measured, or had no pod, lower the coverage."""
    found = list(measured)
    expected = declared * window.samples
    with_pod = [min(each.with_pod.get(name, 0.0) for name in SIZED_BY) for each in found]
    sm = [each.with_pod.get(series.SM_ACTIVITY, 0.0) for each in found]
    return Use(
        slices=declared,
        coverage=_share(sum(with_pod), expected),
        reported=_share(sum(each.reported for each in found), expected),
        busy=_highest(found, Quantity.BUSY, 1.0),
        bandwidth=_highest(found, Quantity.BANDWIDTH, 1.0),
        memory=_highest(found, Quantity.MEMORY),
        preallocated=any(map(is_preallocated, found)),
        sm_measured=sum(sm) >= 0.9 * sum(with_pod) > 0,
        missing=tuple(name for name in SIZED_BY if not any(each.with_pod.get(name) for each in found)),
    )


def is_preallocated(measurement: Measurement) -> bool:
    """Whether the memory of a slice looks reserved."""
    values = measurement.values
    highest, mean = values.get(Quantity.MEMORY, 0.0), values.get(Quantity.MEMORY_MEAN, 0.0)
    return highest < STEADY * mean and values.get(Quantity.MEMORY_RATIO, 0.0) > RESERVED


def _share(samples: float, expected: int) -> float:
    """At most 1: Prometheus 2 finds one sample more than the window has steps."""
    return min(1.0, samples / expected) if expected else 0.0


def _highest(found: Iterable[Measurement], quantity: Quantity, limit: float | None = None) -> float | None:
    highest = max((each.values[quantity] for each in found if quantity in each.values), default=None)
    return highest if highest is None or limit is None else min(limit, highest)
