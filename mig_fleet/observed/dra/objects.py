"""The fields that are read of DRA's objects (resource.k8s.io/v1, stable since Kubernetes 1.34)."""

from msgspec import Raw, field

from mig_fleet.model.allocated_by import RESOURCE_API
from mig_fleet.observed.objects import Metadata, Part

API = f"/apis/{RESOURCE_API}"
RESOURCE_SLICES = f"{API}/resourceslices"
RESOURCE_CLAIMS = f"{API}/resourceclaims"


class Attribute(Part):
    """One of its four kinds of value; those of NVIDIA's driver that are read here are texts."""

    string: str | None = None


class Device(Part):
    name: str
    attributes: dict[str, Attribute] | None = None
    capacity: dict[str, Raw] | None = None
    """By name; the quantities are not parsed."""
    consumes_counters: list[Raw] | None = None


class Pool(Part):
    """The slices of a pool count only with its newest generation, and only if all of them are there."""

    name: str
    generation: int = 0
    resource_slice_count: int = 1


class SliceSpec(Part):
    driver: str
    pool: Pool
    node_name: str = ""
    """Empty for devices that several nodes reach."""
    devices: list[Device] | None = None


class ResourceSliceObject(Part):
    metadata: Metadata
    spec: SliceSpec


class Result(Part):
    """One allocated device."""

    driver: str
    pool: str
    device: str


class DeviceResults(Part):
    results: list[Result] | None = None


class Allocation(Part):
    devices: DeviceResults = field(default_factory=DeviceResults)


class Consumer(Part):
    """Who may use an allocated claim; ``resource`` is ``pods`` for a pod."""

    resource: str = ""
    name: str = ""
    uid: str = ""


class ClaimStatus(Part):
    allocation: Allocation | None = None
    reserved_for: list[Consumer] | None = None


class Cel(Part):
    expression: str = ""


class Selector(Part):
    cel: Cel | None = None


class Exactly(Part):
    """One kind of device. The API server fills in what is not given: mode ``ExactCount``, one device."""

    device_class_name: str
    selectors: list[Selector] | None = None
    allocation_mode: str = "ExactCount"
    count: int = 1
    admin_access: bool | None = None
    """Whether the devices may be in use by others: such a request takes none away."""
    capacity: dict[str, Raw] | None = None
    """A part of a device; not parsed."""
    derived_attributes: list[Raw] | None = None


class DeviceRequest(Part):
    """``exactly``, or a list of alternatives."""

    exactly: Exactly | None = None
    first_available: list[Raw] | None = None


class DeviceClaim(Part):
    requests: list[DeviceRequest] | None = None
    constraints: list[Raw] | None = None
    """What several devices must have in common."""


class ClaimSpec(Part):
    devices: DeviceClaim = field(default_factory=DeviceClaim)


class ClaimMetadata(Metadata):
    namespace: str = ""


class ResourceClaimObject(Part):
    metadata: ClaimMetadata
    spec: ClaimSpec = field(default_factory=ClaimSpec)
    status: ClaimStatus = field(default_factory=ClaimStatus)
