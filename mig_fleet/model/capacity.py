"""What slices offer: their memory and SMs."""

from collections.abc import Mapping
from dataclasses import dataclass

from mig_fleet.model.gpus import GpuModel, profile_of
from mig_fleet.model.profiles import Profile


@dataclass(frozen=True, slots=True)
class Offer:
    """The slices of one profile: their number, and the MiB and SMs of all of them; None if no source gives the number.

    ``shared_in`` is the GPU instance whose memory and engines are shared by its parts, ``3g.40gb`` for ``1c.3g.40gb``.
    Each part may use all of that memory; ``memory_mib`` counts each part's share by compute slices, so that sums are
    right.
    """

    slices: int
    memory_mib: int | None
    sm_count: int | None
    shared_in: str | None = None

    @property
    def memory_gib(self) -> float | None:
        """The memory of all slices in GiB; the GB of a profile's name is more than that."""
        return None if self.memory_mib is None else self.memory_mib / 1024


def offer(gpu: GpuModel, name: str, count: int = 1) -> Offer:
    """What ``count`` slices of a profile offer. Raises UnknownProfile, InvalidProfile."""
    row, profile = profile_of(gpu, name), Profile.parse(name)
    sms, memory = row.slice_sm_count(profile.compute), None if row.memory_mib is None else row.memory_mib * count
    if profile.is_split:
        memory = None if memory is None else memory * profile.compute // profile.slices
    shared_in = str(profile.whole) if profile.is_split else None
    return Offer(count, memory, None if sms is None else sms * count, shared_in)


def stranded_sms(gpu: GpuModel, profiles: Mapping[str, int]) -> tuple[int, int] | None:
    """The SMs that no slice of the layout has, and those of the whole GPU; None if no source gives one of the numbers.

    Raises UnknownProfile, InvalidProfile.
    """
    whole = max(gpu.profiles.values(), key=lambda row: row.compute_slices).sm_count
    offered = [offer(gpu, name, count).sm_count for name, count in profiles.items()]
    known = [sms for sms in offered if sms is not None]
    return None if whole is None or len(known) < len(offered) else (max(0, whole - sum(known)), whole)
