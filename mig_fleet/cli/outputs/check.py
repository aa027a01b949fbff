"""The JSON of `mig-fleet check`."""

from mig_fleet.cli.outputs.base import Output


class Placement(Output, frozen=True):
    """The memory slices of an instance."""

    profile: str
    start: int
    size: int


class Capacity(Output, frozen=True):
    """What all slices of a profile offer together; null if no source gives the value."""

    slices: int
    memory_gib: float | None
    sms: int | None
    memory_shared_in: str | None
    """The GPU instance whose memory parts share."""


class Cost(Output, frozen=True):
    """``used``, ``idle``, ``unallocated`` and ``stranded`` add up to the price."""

    price: float
    basis: str
    per_slice: dict[str, float]
    used: float
    idle: float
    unallocated: float
    stranded: float
    stranded_sms: int | None
    """The SMs of the GPU that no slice has; null if no source gives them."""


class Proof(Output, frozen=True):
    """Whether one GPU can hold the requested slices."""

    gpu: str
    request: dict[str, int]
    verdict: str
    placements: tuple[Placement, ...]
    creation_order: tuple[str, ...]
    reason: str
    nearest: tuple[dict[str, int], ...]
    nearest_proven: tuple[bool, ...]
    kept: tuple[Placement, ...]
    beside: tuple[dict[str, int], ...]
    """What still fits beside the kept instances, if nothing was requested."""
    confidence: str
    requires: tuple[str, ...]
    capacity: dict[str, Capacity]
    cost: Cost | None
    """``None`` without a price, and if the layout is impossible."""


class Finding(Output, frozen=True):
    """A mistake or an advice in a file."""

    level: str
    place: str
    """File and line."""
    text: str
