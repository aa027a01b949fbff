"""The instances of a GPU and its clients, as values; the compute instances that a GPU instance may have."""

from dataclasses import dataclass, field
from typing import Final

from mig_fleet.model.gpus import ComputeInstance as ComputeProfile
from mig_fleet.model.gpus import GpuModel, GpuProfile

WHOLE: Final = {1: 0, 2: 1, 3: 2, 4: 3, 7: 4, 8: 5, 6: 6}
"""Compute slices → NVML's enum and id of the compute instance profile with that many slices (nvml.h)."""


@dataclass(frozen=True, slots=True)
class ComputeInstance:
    """Part of a GPU instance; ``start`` and ``slices`` count the compute slices of that GPU instance."""

    id: int
    profile_id: int
    start: int
    slices: int


@dataclass(frozen=True, slots=True)
class GpuInstance:
    """A slice of the GPU; ``start`` and ``size`` count memory slices."""

    id: int
    profile: str
    start: int
    size: int
    compute: tuple[ComputeInstance, ...] = ()
    serial: int = field(default=0, compare=False)
    """Which of the instances that were ever created on the GPU it is."""

    def free_id(self) -> int:
        """The lowest id that no compute instance has."""
        taken = {each.id for each in self.compute}
        return next(number for number in range(len(taken) + 1) if number not in taken)

    def free_start(self, slices: int, total: int) -> int | None:
        """The lowest start of ``slices`` free compute slices in a row; None if ``total`` compute slices lack them."""
        taken = {slot for each in self.compute for slot in range(each.start, each.start + each.slices)}
        places = range(total - slices + 1)
        return next((start for start in places if not taken & set(range(start, start + slices))), None)


@dataclass(frozen=True, slots=True)
class Client:
    """A process that has the GPU open; ``instance`` is a GPU instance id, or ``None`` for the whole GPU."""

    name: str
    instance: int | None


def compute_profiles(profile: GpuProfile) -> tuple[ComputeProfile, ...]:
    """The compute instance profiles of a GPU instance profile: the catalog's, else one with all compute slices."""
    slices = profile.compute_slices
    return profile.compute_instances or (ComputeProfile(profile.name, WHOLE[slices], slices, 1, profile.sm_count),)


def nvml_profile_id(profile: GpuProfile) -> int:
    """NVML's id of a profile; where no source gives it, one of our own, above all known ones, that is unique."""
    return 1000 + profile.nvml_enum if profile.nvml_id is None else profile.nvml_id


def profile_memory_mib(model: GpuModel, profile: GpuProfile, total_mib: int) -> int:
    """Memory of a slice in MiB; where the catalog has none, its memory slices' part of the GPU's ``total_mib``.

    NVIDIA's tools derive the name of a profile from this number (go-nvlib, ``getMigMemorySizeGB``), so it is never 0.
    """
    if profile.memory_mib is not None:
        return profile.memory_mib
    return total_mib * profile.memory_slices // model.memory_slices
