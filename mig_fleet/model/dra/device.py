"""One device of NVIDIA's DRA driver (dra-driver-nvidia-gpu v0.4.1, cmd/gpu-kubelet-plugin)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mig_fleet.model.errors import InvalidProfile
from mig_fleet.model.labels import GPU_RESOURCE, RESOURCE_PREFIX
from mig_fleet.model.profiles import Profile

DRIVER: Final = "gpu.nvidia.com"
"""The driver's name, and the domain of its devices' attributes."""

GPU: Final = "gpu"
MIG: Final = "mig"
"""Values of the attribute ``type``."""


@dataclass(frozen=True, slots=True, order=True)
class DraDevice:
    """A whole GPU or a MIG device; a device of another type has no profile and no place."""

    parent_uuid: str
    """UUID of the GPU that a MIG device is a part of; empty for a whole GPU."""
    start: int
    """First memory slice of a MIG device; -1 without, as of one that does not exist yet."""
    profile: str
    """In NVIDIA's spelling, ``1g.10gb+me``; empty for a whole GPU."""
    uuid: str
    """``GPU-…`` or ``MIG-…``; empty if a report has no UUIDs of MIG devices, or if a MIG device does not exist yet."""
    type: str
    """:data:`GPU`, :data:`MIG`, or another one that NVIDIA's driver knows."""
    name: str = ""
    """Unique within the node, ``gpu-0-mig-1g10gb-19-3``; empty for a device that is expected and not published."""
    size: int = 0
    """Memory slices."""
    is_dynamic: bool = False
    """Whether it consumes counters that it shares with others: the driver creates and destroys such devices itself
    (its feature ``DynamicMIG``)."""

    @property
    def gpu_uuid(self) -> str:
        """UUID of the GPU that it is, or is a part of."""
        return self.parent_uuid or self.uuid

    @property
    def resource(self) -> str:
        """The extended resource that the device plugin gives such a device under strategy mixed: the name by which the
        rest of this package counts slices.
        """
        if self.type != MIG:
            return GPU_RESOURCE
        try:
            return Profile.parse(self.profile).resource
        except InvalidProfile:
            return RESOURCE_PREFIX + self.profile

    def __str__(self) -> str:
        """``1g.10gb at memory slice 3``, or ``the whole GPU``."""
        if self.type == GPU:
            return "the whole GPU"
        if self.type != MIG:
            return f"device {self.name}"
        return f"{self.profile} at memory slice {self.start}" if self.start >= 0 else self.profile


def dynamic_devices(devices: Iterable[DraDevice]) -> tuple[DraDevice, ...]:
    """MIG devices that the driver creates itself. At its start such a driver destroys every slice that it did not
    create, and switches MIG off.
    """
    return tuple(device for device in devices if device.type == MIG and device.is_dynamic)
