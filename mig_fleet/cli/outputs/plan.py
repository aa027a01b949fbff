"""The JSON of `mig-fleet plan`."""

from typing import Generic, TypeVar

from mig_fleet.cli.outputs.base import Output

T = TypeVar("T")


class PoolCost(Output, frozen=True):
    """USD per hour."""

    per_hour_usd: float
    per_slice_usd: dict[str, float]
    """By profile; the mean, if GPUs are differently partitioned."""


class Autoscaler(Output, frozen=True):
    """What an autoscaler needs to grow a pool from zero, for each platform."""

    aws: dict[str, str]
    """Tags of the Auto Scaling group."""
    azure: dict[str, str]
    """Tags of the scale set."""
    cluster_api: dict[str, str]
    """Annotations of the MachineDeployment."""
    karpenter: str
    """A NodeOverlay, as JSON."""


class Pool(Output, frozen=True):
    """One pool of the stack file."""

    name: str
    gpu: str
    gpus_per_node: int
    layout: str
    config: str
    """The config name of the layout."""
    gpus: str
    nodes: tuple[str, ...]
    """Empty for a pool with a selector."""
    selector: dict[str, str] | None
    autoscaler: Autoscaler | None
    """``None`` for a pool that lists its nodes, and with ``allocation: dra``."""
    capacity_per_node: dict[str, int]
    cost_per_node: PoolCost | None
    """``None`` without a price."""


class Plan(Output, frozen=True):
    """What a stack file means. The sums are those of the nodes that have names."""

    strategy: str
    allocation: str
    """``devicePlugin`` or ``dra``."""
    pools: tuple[Pool, ...]
    capacity: dict[str, int]
    cost_per_hour_usd: float | None


class Change(Output, Generic[T], frozen=True):
    """A value before and after; null where there is none."""

    before: T | None
    after: T | None


class DeclaredNode(Output, frozen=True):
    """What a stack file declares of a node."""

    pool: str
    layout: str
    config: str
    gpu: str
    gpus: str


class NodesChange(Change[DeclaredNode], frozen=True):
    """Nodes with the same change."""

    nodes: tuple[str, ...]


class Changes(Output, frozen=True):
    """What differs; a part is empty if nothing in it does."""

    layouts: dict[str, Change[str]]
    nodes: tuple[NodesChange, ...]
    capacity: dict[str, Change[int]]
    capacity_per_node: dict[str, dict[str, Change[int]]]
    """By pool with a selector."""
    cost: Change[float] | None
    """USD per hour."""
    cost_per_node: dict[str, Change[float]]
    other_settings: tuple[str, ...]


class PlanAgainst(Output, frozen=True):
    """What changes from another stack file to this one."""

    against: str
    """``REVISION:PATH`` or a path."""
    different: bool
    changes: Changes
