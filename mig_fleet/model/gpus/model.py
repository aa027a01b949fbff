"""A GPU model and its profiles, as values.

``None`` always means "no source says", never zero. Units: memory in MiB (nominal sizes in GB), placements in memory
slices as ``nvidia-smi mig -lgipp`` prints them.
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
"""The words for :class:`Engines`, in its order."""


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
    """What some boards or drivers call a profile instead; ``where`` says which, as ``on early boards`` does."""

    name: str
    where: str
    source: str


@dataclass(frozen=True, slots=True)
class GpuProfile:
    """A profile of one GPU model.

    ``nvml_enum`` is NVML's ``GPU_INSTANCE_PROFILE_*`` constant, ``nvml_id`` the number that ``nvidia-smi mig -lgip``
    prints and that NVML reports for an existing instance: two different numberings. ``memory_mib`` moves with driver
    and ECC: show it, never compare.
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
        """The catalog's name first, then those that other boards or drivers have for it."""
        return (self.name, *(alternate.name for alternate in self.alternate_names))

    @property
    def parts_unsourced(self) -> bool:
        """Whether it has compute slices to share out and no source says how; with a single one there is nothing to
        say.
        """
        return self.compute_slices > 1 and not self.compute_instances

    def splits_into(self, compute: int) -> bool:
        """Whether compute instances of this many slices may be in it; its own number always may. Where no source says
        how it splits, fewer may too: :func:`mig_fleet.model.placement.prove` has no yes for them.
        """
        if self.parts_unsourced:
            return 0 < compute <= self.compute_slices
        return compute == self.compute_slices or compute in {part.slices for part in self.compute_instances}


@dataclass(frozen=True, slots=True)
class DriverRule:
    """Profiles that need a newer driver when they stand on one GPU together."""

    profiles: tuple[str, ...]
    driver_min: str
    source: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GpuModel:
    """A GPU that does MIG. Two models are the same only if they are the same catalog entry."""

    name: str
    short: str
    product_names: tuple[str, ...]
    product_names_confidence: Naming
    pci_device_ids: tuple[str, ...]
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

    def __reduce__(self) -> tuple[object, ...]:
        from mig_fleet.model.gpus.lookup import find

        return find, (self.name,)

    def __repr__(self) -> str:
        return f"GpuModel({self.name!r})"

    def __str__(self) -> str:
        return self.name

    def profile(self, name: str | Profile) -> GpuProfile:
        """The GPU instance profile behind a name that some board of this model reports; a split name finds the
        instance it lives in. Raises UnknownProfile, InvalidProfile.
        """
        found = self._by_name.get(name) if isinstance(name, str) else None
        if found is None:
            parsed = name if isinstance(name, Profile) else Profile.parse(name)
            found = self._row(parsed)
            if found is None:
                from mig_fleet.model.gpus.hints import profile_like
                from mig_fleet.model.gpus.lookup import all_models

                near = profile_like(self, parsed, all_models())
                raise UnknownProfile(str(parsed), self.name, tuple(self._by_name), near)
        return found

    def _row(self, profile: Profile) -> GpuProfile | None:
        row = self._by_name.get(str(profile.whole))
        return row if row and row.splits_into(profile.compute) else None

    def knows(self, name: str | Profile) -> bool:
        """Whether some board of this model reports a profile by this name. That all do is another question:
        :meth:`names_of`.
        """
        try:
            return self._row(name if isinstance(name, Profile) else Profile.parse(name)) is not None
        except InvalidProfile:
            return False

    @property
    def boards_differ(self) -> bool:
        """Whether any profile has more than one name."""
        return len(self._by_name) > len(self.profiles)

    def names_of(self, name: str | Profile) -> tuple[str, ...]:
        """Every name under which boards of this model report the profile behind this one, the catalog's own first.

        With more than one, mig-parted finds nothing under this name on some boards, wipes the GPU and reports success.
        Raises UnknownProfile, InvalidProfile.
        """
        return self.profile(name).names

    def by_nvml_id(self, nvml_id: int) -> GpuProfile | None:
        """The profile behind the number that NVML reports for a GPU instance."""
        return self._by_id.get(nvml_id)
