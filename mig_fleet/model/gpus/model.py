"""A GPU model and its profiles, as values.

``None`` always means that no source gives the value, never zero. Units: memory in MiB (nominal sizes in GB), placements
in memory slices as ``nvidia-smi mig -lgipp`` prints them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from mig_fleet.model.errors import InvalidProfile, UnknownProfile
from mig_fleet.model.gpus.evidence import Evidence, Geometry, Naming, Places
from mig_fleet.model.profiles import Profile


@dataclass(frozen=True, slots=True)
class Engines:
    """Copy engines, decoders (NVDEC), encoders (NVENC), JPEG decoders and optical flow accelerators."""

    copy: int | None
    dec: int | None
    enc: int | None
    jpeg: int | None
    ofa: int | None

    NAMES: ClassVar[tuple[str, ...]] = ("copy", "dec", "enc", "jpeg", "ofa")

    def __iter__(self) -> Iterator[int | None]:
        return iter((self.copy, self.dec, self.enc, self.jpeg, self.ofa))


ENGINE_NAMES = ("copy engines", "NVDEC", "NVENC", "JPEG engines", "OFA")
"""The names of :class:`Engines` in messages, in its order."""


@dataclass(frozen=True, slots=True)
class ComputeInstance:
    """One way to split a GPU instance: ``instances`` compute instances of ``slices`` compute slices each."""

    name: str
    ci_profile_id: int
    slices: int
    instances: int
    sm_count: int | None


@dataclass(frozen=True, slots=True)
class AlternateName:
    """Another name that some boards or drivers report for a profile; ``where`` names them: ``on early boards``."""

    name: str
    where: str
    source: str


@dataclass(frozen=True, slots=True)
class OtherBoard:
    """A board that has a device id of a model and is another one: NVML's name of it, and its subsystem device ids in
    four hexadecimal digits.
    """

    name: str
    memory_gb: int
    subsystem_devices: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class GpuProfile:
    """A profile of one GPU model.

    ``nvml_enum`` is NVML's ``GPU_INSTANCE_PROFILE_*`` constant, ``nvml_id`` the number that ``nvidia-smi mig -lgip``
    prints and that NVML reports for an existing instance: two different numberings. ``memory_mib`` depends on the
    driver and on ECC: never compare it with what a driver reports. ``sm_count`` is that of the whole GPU instance; a
    slice may have fewer (:meth:`slice_sm_count`).
    """

    name: str
    profile: Profile
    compute_slices: int
    memory_slices: int
    memory_mib: int | None
    memory_mib_other_drivers: tuple[int, ...]
    max_instances: int
    sm_count: int | None
    engines: Engines
    starts: tuple[int, ...]
    size: int
    nvml_enum: int
    nvml_id: int | None
    driver_min: str | None
    confidence: Evidence
    placement_confidence: Places
    sources: tuple[str, ...]
    notes: tuple[str, ...]
    compute_instances: tuple[ComputeInstance, ...]
    alternate_names: tuple[AlternateName, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The catalog's name first, then those that other boards or drivers report."""
        return (self.name, *(alternate.name for alternate in self.alternate_names))

    def slice_sm_count(self, compute: int | None = None) -> int | None:
        """The SMs of a slice as MIG Manager creates it, with all of the compute slices or with ``compute`` of them.

        If several compute-instance profiles have that many, it takes the first one (mig-parted, go-nvlib: profile 0 for
        one slice), which in a double-memory 1g has fewer SMs than the GPU instance.
        """
        slices = compute or self.compute_slices
        fitting = [part for part in self.compute_instances if part.slices == slices]
        first = min(fitting, key=lambda part: part.ci_profile_id, default=None)
        is_whole = slices == self.compute_slices
        return first.sm_count if first and first.sm_count else self.sm_count if is_whole else None

    @property
    def parts_unsourced(self) -> bool:
        """Whether it has several compute slices and no source states how they can be split."""
        return self.compute_slices > 1 and not self.compute_instances

    def splits_into(self, compute: int) -> bool:
        """Whether it may hold compute instances of this many slices; its own number is always allowed. If no source
        states how it splits, fewer are allowed too, but :func:`mig_fleet.model.placement.prove` calls them unproven.
        """
        if self.parts_unsourced:
            return 0 < compute <= self.compute_slices
        return compute == self.compute_slices or compute in {part.slices for part in self.compute_instances}


@dataclass(frozen=True, slots=True)
class DriverRule:
    """Profiles that need a newer driver if they are on one GPU together."""

    profiles: tuple[str, ...]
    driver_min: str
    source: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GpuModel:
    """A GPU that supports MIG. Two models are equal only if they are the same catalog entry."""

    name: str
    short: str
    product_names: tuple[str, ...]
    product_names_confidence: Naming
    pci_device_ids: tuple[str, ...]
    other_boards: tuple[OtherBoard, ...]
    architecture: str
    compute_capability: str | None
    memory_gb: int
    total_memory_mib: int | None
    compute_slices: int
    memory_slices: int
    max_gpu_instances: int
    engines: Engines
    driver_min: str | None
    geometry: Geometry
    confidence: Evidence
    sources: tuple[str, ...]
    disagreements: tuple[str, ...]
    notes: tuple[str, ...]
    same_profiles_as: str | None
    driver_rules: tuple[DriverRule, ...]
    profiles: Mapping[str, GpuProfile]
    _by_name: dict[str, GpuProfile] = field(init=False)
    _by_id: dict[int, GpuProfile] = field(init=False)

    def __post_init__(self) -> None:
        names = {name: row for row in self.profiles.values() for name in row.names}
        object.__setattr__(self, "_by_name", names)
        object.__setattr__(self, "_by_id", {p.nvml_id: p for p in self.profiles.values() if p.nvml_id is not None})

    def __repr__(self) -> str:
        return f"GpuModel({self.name!r})"

    def __str__(self) -> str:
        return self.name

    def profile(self, name: str | Profile) -> GpuProfile:
        """The GPU instance profile with a name that some board of this model reports; for the name of a part,
        ``1c.3g.40gb``, the instance that holds it. Raises UnknownProfile, InvalidProfile.

        For a name that a user wrote call :func:`mig_fleet.model.gpus.profile_of`, which suggests the right one.
        """
        found = self._by_name.get(name) if isinstance(name, str) else None
        if found is None:
            parsed = name if isinstance(name, Profile) else Profile.parse(name)
            found = self._row(parsed)
            if found is None:
                raise UnknownProfile(str(parsed), self.name, tuple(self._by_name))
        return found

    def _row(self, profile: Profile) -> GpuProfile | None:
        row = self._by_name.get(str(profile.whole))
        return row if row and row.splits_into(profile.compute) else None

    def knows(self, name: str | Profile) -> bool:
        """Whether some board of this model reports a profile with this name. :meth:`names_of` shows if all do."""
        try:
            return self._row(name if isinstance(name, Profile) else Profile.parse(name)) is not None
        except InvalidProfile:
            return False

    @property
    def boards_differ(self) -> bool:
        """Whether any profile has more than one name."""
        return len(self._by_name) > len(self.profiles)

    def names_of(self, name: str | Profile) -> tuple[str, ...]:
        """Every name that boards of this model report for this profile, the catalog's name first.

        If there are several, mig-parted does not find this one on some boards: it wipes the GPU and reports success.
        Raises UnknownProfile, InvalidProfile.
        """
        return self.profile(name).names

    def by_nvml_id(self, nvml_id: int) -> GpuProfile | None:
        """The profile with this id, the one that NVML reports for a GPU instance; None for an unknown id."""
        return self._by_id.get(nvml_id)
