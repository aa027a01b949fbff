"""What slices need by their use, with headroom.

The percentile and the memory's 15 percent are those of Kubernetes Resource Recommender (krr). Its CPU has no headroom,
a slice does: three quarters of its compute and four fifths of its bandwidth.
"""

import math
from dataclasses import dataclass
from typing import Final

from mig_fleet.advice.use import Use
from mig_fleet.model.gpus import GpuProfile

COMPUTE_TARGET: Final = 0.75
BANDWIDTH_TARGET: Final = 0.8
MEMORY_FACTOR: Final = 1.15
MEMORY_FLOOR: Final = 1 << 30
"""Bytes above the most that was used, at least."""
MIB: Final = 1 << 20
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Needs:
    """The smallest slice that would be large enough."""

    compute: int
    """Compute slices."""
    bandwidth: int
    """Memory slices, for their bandwidth."""
    memory: float
    """Bytes."""

    def are_met_apart_from_memory(self, profile: GpuProfile) -> bool:
        """Whether the profile has enough compute slices and bandwidth."""
        return profile.compute_slices >= self.compute and profile.memory_slices >= self.bandwidth

    def are_met_by(self, profile: GpuProfile) -> bool:
        """Whether the profile is known to be large enough; its memory may not be known."""
        memory = memory_of(profile)
        return self.are_met_apart_from_memory(profile) and memory is not None and memory >= self.memory


def needs(use: Use, profile: GpuProfile) -> Needs | None:
    """What the slices of this profile need; None if anything was not measured."""
    if use.busy is None or use.bandwidth is None or use.memory is None:
        return None
    return Needs(
        _slices(use.busy, profile.compute_slices, COMPUTE_TARGET),
        _slices(use.bandwidth, profile.memory_slices, BANDWIDTH_TARGET),
        max(use.memory * MEMORY_FACTOR, use.memory + MEMORY_FLOOR),
    )


def memory_of(profile: GpuProfile) -> int | None:
    """Bytes of a slice with the driver that leaves the least; None if no source gives them."""
    if not profile.memory_mib:
        return None
    return min((profile.memory_mib, *profile.memory_mib_other_drivers)) * MIB


def _slices(share: float, of: int, target: float) -> int:
    return max(1, math.ceil(share * of / target - _ROUNDING))
