"""The JSON of `mig-fleet status`."""

import msgspec

from mig_fleet.cli.outputs.base import Output


class PoolCost(Output, frozen=True):
    """USD per hour."""

    per_hour_usd: float
    per_slice_usd: dict[str, float]


class Cost(Output, frozen=True):
    """USD per hour of the pools whose GPU model has a price; empty if none has one."""

    per_hour_usd: float | msgspec.UnsetType = msgspec.UNSET
    pools: dict[str, PoolCost] | msgspec.UnsetType = msgspec.UNSET


class StackOutputs(Output, frozen=True):
    """The outputs of the last update that reached its end, as Pulumi prints them."""

    strategy: str
    configs: dict[str, str]
    capacity: dict[str, int]
    cost: Cost
    slices: dict[str, dict[str, str]]


class Allocation(Output, frozen=True):
    """A device that the kubelet allocated to a pod."""

    namespace: str
    pod: str
    resource: str
    gpu: int | None
    gpu_instance_id: int | None
    compute_instance_id: int | None


class LiveNode(Output, frozen=True):
    """One node as it is now."""

    pool: str
    wave: str
    config: str
    state: str
    isolated: bool
    slices: str | None
    differences: tuple[str, ...]
    offered: dict[str, int]
    nvml: dict[str, int]
    allocations: tuple[Allocation, ...] | None
    allocations_error: str


class ResourceCounts(Output, frozen=True):
    """The sums of one resource over all nodes."""

    nvml: int
    offered: int
    allocated: int
    declared: int


class LiveStatus(Output, frozen=True):
    """What the nodes have."""

    nodes: dict[str, LiveNode]
    resources: dict[str, ResourceCounts]
