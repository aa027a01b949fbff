"""What rules and dashboards need to know about a fleet, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mig_fleet.model.cost import Basis
from mig_fleet.model.gpus import GpuModel, find
from mig_fleet.model.strategy import DEFAULT, PerGpu, Strategy

EXPORTER_JOB: Final = "nvidia-dcgm-exporter.*|dcgm-exporter"
"""The job of the GPU Operator's ServiceMonitor, and that of dcgm-exporter's own chart."""


@dataclass(frozen=True, slots=True)
class MonitoredPool:
    """A pool, and every config that one of its nodes may have been verified with."""

    name: str
    gpu: str
    """The catalog's name of the GPU model."""
    gpus_per_node: int
    configs: Mapping[str, PerGpu]
    """Config name → the profiles of each GPU by index. It has the declared layout, and those that nodes still carry."""
    price: float | None = None
    """USD per GPU and hour; None if it is not known, and then the pool has no cost."""


@dataclass(frozen=True, slots=True)
class MonitoredFleet:
    """All pools of a stack."""

    pools: tuple[MonitoredPool, ...]
    strategy: Strategy = DEFAULT
    basis: Basis = Basis.MAX
    """What a slice is charged for."""
    exporter_job: str = EXPORTER_JOB
    """Regular expression of the exporter's label ``job`` in Prometheus."""
    wave_prefix: str = ""
    """What the name of each wave has before the name of its pool; a Fleet component has its own name there."""

    @property
    def has_prices(self) -> bool:
        """Whether any pool has a price; without one there are no series and no panels about cost."""
        return any(pool.price is not None for pool in self.pools)

    def by_model(self) -> dict[GpuModel, tuple[str, ...]]:
        """GPU model → the names of its pools. Raises UnknownGpu."""
        found: dict[GpuModel, tuple[str, ...]] = {}
        for pool in self.pools:
            model = find(pool.gpu)
            found[model] = (*found.get(model, ()), pool.name)
        return found
