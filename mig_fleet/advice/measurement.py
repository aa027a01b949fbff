"""What was measured of one slice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from mig_fleet.monitoring import series


@dataclass(frozen=True, slots=True, order=True)
class Slice:
    """A slice by its labels. Any component may have written them."""

    node: str
    gpu: int
    """The index of the GPU on its node."""
    uuid: str
    """Of the GPU."""
    slice: str
    """The NVML id of the GPU instance."""
    profile: str
    """As the exporter spells it."""


class Quantity(StrEnum):
    """What is calculated over the window, each while a pod had the slice."""

    BUSY = "busy"
    """The 95th percentile of activity or SM activity, whichever is higher: 0 to 1."""
    BANDWIDTH = "bandwidth"
    """The 95th percentile of the activity of the memory interface: 0 to 1."""
    MEMORY = "memory"
    """The most memory used, in bytes."""
    MEMORY_MEAN = "memory-mean"
    """The mean memory used, in bytes."""
    MEMORY_RATIO = "memory-ratio"
    """The most memory used, as a share of the slice's: 0 to 1."""


SIZED_BY: Final = (series.ACTIVITY, series.DRAM_ACTIVITY, series.MEMORY_USED)
"""The series without which a slice cannot be sized. SM activity raises the confidence; our list of metrics
has it, the exporter's own (``default-counters.csv``) has not."""
COUNTED: Final = (*SIZED_BY, series.SM_ACTIVITY)


@dataclass(frozen=True, slots=True)
class Measurement:
    """The use of a slice over the window; a value that is absent was not measured."""

    slice: Slice
    values: Mapping[Quantity, float] = field(default_factory=dict)
    with_pod: Mapping[str, float] = field(default_factory=dict)
    """Series of :data:`COUNTED` → number of samples while a pod had the slice."""
    reported: float = 0.0
    """Number of samples of its activity, whether a pod had it or not."""
