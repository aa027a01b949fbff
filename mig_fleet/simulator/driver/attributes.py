"""What NVML reports of a MIG device (``nvmlDeviceGetAttributes_v2``)."""

from dataclasses import dataclass

from mig_fleet.model.gpus import GpuModel
from mig_fleet.model.profiles import Profile
from mig_fleet.simulator.driver.instances import profile_memory_mib
from mig_fleet.simulator.driver.text import memory_mib


@dataclass(frozen=True, slots=True)
class Attributes:
    """Equal for two profiles that differ only in what NVML does not count, such as graphics; 0 where no source has the
    number.
    """

    memory_mib: int
    multiprocessors: int
    gpu_slices: int
    compute_slices: int
    copy: int
    decoder: int
    encoder: int
    jpeg: int
    ofa: int


def attributes(model: GpuModel, name: str) -> Attributes:
    """Of a device of this profile, or of a part of it such as ``1c.3g.40gb``."""
    profile = Profile.parse(name)
    facts = model.profile(str(profile.whole))
    memory = profile_memory_mib(model, facts, memory_mib(model))
    sms = facts.slice_sm_count(profile.compute) or 0
    return Attributes(memory, sms, profile.slices, profile.compute, *(count or 0 for count in facts.engines))
