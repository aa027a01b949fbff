"""The facts about a wave that the rules of an organization check."""

from dataclasses import dataclass
from datetime import datetime

from mig_fleet.model.allocated_by import AllocatedBy
from mig_fleet.model.strategy import DEFAULT, PerGpu, Strategy


@dataclass(frozen=True, slots=True)
class Impact:
    """What an update does with a wave, as its preview observed the cluster."""

    changed_nodes: tuple[str, ...] = ()
    """The nodes whose slices change, or may change."""
    pods: int = 0
    """Pods that lose their slices."""


@dataclass(frozen=True, slots=True)
class WaveFacts:
    """One wave. ``None`` is a value that is not known: in a preview, or without a cluster."""

    name: str
    pool: str
    gpu: str
    """The GPU model's name in the catalog."""
    nodes: tuple[str, ...]
    gpus: PerGpu
    """The declared slices of each GPU of a node; None is a whole GPU, MIG off."""
    strategy: Strategy = DEFAULT
    """The cluster's MIG strategy."""
    allocation: AllocatedBy = AllocatedBy.DEVICE_PLUGIN
    """What allocates the slices in the cluster."""
    stack: str = ""
    """The stack's name, such as ``prod``."""
    now: datetime | None = None
    """The moment of the check, with a time zone."""
    on_user_pods: str | None = None
    """``refuse``, ``wait`` or ``evict``"""
    timeout_seconds: float | None = None
    cost_per_hour: float | None = None
    """USD for all nodes; None without a price."""
    impact: Impact | None = None

    @property
    def whole_gpus(self) -> int:
        """The whole GPUs of all nodes."""
        return sum(profiles is None for profiles in self.gpus) * len(self.nodes)

    @property
    def profiles(self) -> tuple[str, ...]:
        """The profiles of its slices, sorted."""
        return tuple(sorted({name for profiles in self.gpus for name in profiles or ()}))
