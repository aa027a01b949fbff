"""The JSON of `mig-fleet advise`."""

from mig_fleet.cli.outputs.base import Output


class Needs(Output, frozen=True):
    """The smallest slice that would be large enough, with headroom."""

    compute: int
    """Compute slices."""
    bandwidth: int
    """Memory slices, for their bandwidth."""
    memory_bytes: float


class Replacement(Output, frozen=True):
    """Slices in place of all slices of another profile, on each GPU."""

    profile: str
    count: int
    resource: str
    """What pods must then request."""


class Finding(Output, frozen=True):
    """The size of the slices of one profile."""

    gpus: tuple[int, ...] | None
    """The GPUs of each node, by index; ``None`` for all."""
    profile: str
    slices: int
    """As declared, on all nodes."""
    outcome: str
    reason: str
    confidence: str
    """``high``, ``medium`` or ``low``."""
    coverage: float
    """Share of the slices' time, 0 to 1, that was measured while a pod had them."""
    reported: float
    """Share of the slices' time, 0 to 1, that was reported, with or without a pod."""
    busy: float | None
    """The 95th percentile of activity or SM activity of the busiest slice, 0 to 1; ``None`` if it was not measured."""
    bandwidth: float | None
    """The same of the memory interface."""
    memory_bytes: float | None
    """The most memory that a slice used."""
    preallocated: bool
    """Whether a server reserves that memory at the start."""
    needs: Needs | None
    replacement: Replacement | None
    """``None`` unless the outcome is ``smaller``."""


class Group(Output, frozen=True):
    """The profiles of some GPUs of a node."""

    gpus: tuple[int, ...] | None
    """By index; ``None`` for all."""
    profiles: dict[str, int] | None
    """``None`` for MIG off."""


class LayoutAdvice(Output, frozen=True):
    """Advice about one layout, and all pools that have it."""

    layout: str
    gpu: str
    pools: tuple[str, ...]
    nodes: int
    gpus: int
    findings: tuple[Finding, ...]
    after: tuple[Group, ...] | None
    """The layout that follows; ``None`` if nothing changes."""
    in_diff: bool
    """Whether ``diff`` has it: a text with aliases or merge keys may not be editable."""
    saved_gpus: float
    """GPUs that the same number of slices does not need any more; not a whole number."""
    saved_per_hour_usd: float | None
    """``None`` without a price."""


class Advice(Output, frozen=True):
    """Advice about all layouts of a stack file."""

    stack_file: str
    window: str
    layouts: tuple[LayoutAdvice, ...]
    diff: str
    """Unified, of the stack file; empty if no text changes."""
    warnings: tuple[str, ...]
    """What Prometheus reported beside its answers."""
