"""The JSON of `mig-fleet gpus`; ``None`` means that no source gives the value."""

from mig_fleet.cli.outputs.base import Output


class Engines(Output, frozen=True):
    """Copy engines, decoders, encoders, JPEG decoders, optical flow accelerators."""

    copy: int | None
    dec: int | None
    enc: int | None
    jpeg: int | None
    ofa: int | None


class AlternateName(Output, frozen=True):
    """Another name that some boards or drivers report for a profile."""

    name: str
    where: str
    source: str


class ComputeInstance(Output, frozen=True):
    """One way to split a GPU instance into compute instances."""

    name: str
    ci_profile_id: int
    slices: int
    instances: int
    sm_count: int | None


class GpuProfile(Output, frozen=True):
    """A profile of one GPU model."""

    name: str
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
    confidence: str
    placement_confidence: str
    sources: tuple[str, ...]
    notes: tuple[str, ...]
    compute_instances: tuple[ComputeInstance, ...]
    alternate_names: tuple[AlternateName, ...]


class DriverRule(Output, frozen=True):
    """Profiles that need a newer driver if they are on one GPU together."""

    profiles: tuple[str, ...]
    driver_min: str
    source: str


class GpuModel(Output, frozen=True):
    """A GPU model of the catalog."""

    name: str
    short: str
    product_names: tuple[str, ...]
    product_names_confidence: str
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
    geometry: str
    confidence: str
    sources: tuple[str, ...]
    disagreements: tuple[str, ...]
    notes: tuple[str, ...]
    same_profiles_as: str | None
    driver_rules: tuple[DriverRule, ...]
    profiles: dict[str, GpuProfile]
    maximal_layouts: tuple[dict[str, int], ...]
    """As count by profile."""


class ProfileMeaning(Output, frozen=True):
    """The slice that a profile is on all GPU models that have it."""

    profile: str
    meaning: str
    models: tuple[str, ...]
