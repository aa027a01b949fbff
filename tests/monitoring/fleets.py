"""Fleets to generate rules for."""

from mig_fleet.model.cost import Basis
from mig_fleet.model.strategy import DEFAULT, PerGpu, Strategy
from mig_fleet.monitoring.fleet import MonitoredFleet, MonitoredPool

SEVENTHS = {"1g.10gb": 7}


def a_pool(
    name: str = "inference",
    gpu: str = "H100-80GB",
    *per_gpu: PerGpu,
    price: float | None = None,
    gpus: int = 1,
) -> MonitoredPool:
    """The n-th layout is the config ``<name>-<n>``, from 1; by default each GPU has seven slices."""
    layouts: tuple[PerGpu, ...] = per_gpu or ([SEVENTHS] * gpus,)
    return MonitoredPool(name, gpu, gpus, {f"{name}-{n}": layout for n, layout in enumerate(layouts, 1)}, price)


def a_fleet(*pools: MonitoredPool, strategy: Strategy = DEFAULT, basis: Basis = Basis.MAX) -> MonitoredFleet:
    return MonitoredFleet(pools or (a_pool(),), strategy, basis)
