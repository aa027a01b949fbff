"""What the catalog and the prices say about each pool, as series: a query cannot turn a label into a number."""

from collections import defaultdict
from collections.abc import Iterator

from mig_fleet.model.cost import Basis, shares
from mig_fleet.model.gpus import GpuModel, find
from mig_fleet.monitoring.fleet import MonitoredFleet, MonitoredPool
from mig_fleet.monitoring.promql import braces, in_pools, number
from mig_fleet.monitoring.rules import Record, merged
from mig_fleet.monitoring.series import GPU_COMPUTE, GPU_PRICE, NODE_GPUS, PROFILE_COMPUTE, PROFILE_SHARE
from mig_fleet.monitoring.spellings import catalog_names


def constant_records(fleet: MonitoredFleet) -> tuple[Record, ...]:
    return (*(record for pool in fleet.pools for record in _of_pool(pool)), *_of_profiles(fleet))


def _of_pool(pool: MonitoredPool) -> list[Record]:
    values = {
        GPU_COMPUTE: find(pool.gpu).compute_slices,
        NODE_GPUS: pool.gpus_per_node,
        **({} if pool.price is None else {GPU_PRICE: pool.price}),
    }
    return [Record(name, f"vector({number(value)})", {"pool": pool.name}) for name, value in values.items()]


def _of_profiles(fleet: MonitoredFleet) -> tuple[Record, ...]:
    """One term for all pools with the same value, whatever their GPU models are."""
    pools: dict[tuple[str, str, float], list[str]] = defaultdict(list)
    for model, names in fleet.by_model().items():
        for constant in _of_model(model, fleet.basis):
            pools[constant].extend(names)
    return merged(
        Record(
            name,
            f"{number(value)} * group by (pool) ({GPU_COMPUTE}{braces(in_pools(names))})",
            {"profile": spelling} if spelling else {},
        )
        for (name, spelling, value), names in pools.items()
    )


def _of_model(model: GpuModel, basis: Basis) -> Iterator[tuple[str, str, float]]:
    """Series, spelling of the profile, and value; a GPU without MIG has no profile."""
    yield PROFILE_COMPUTE, "", model.compute_slices
    yield PROFILE_SHARE, "", 1
    for spelling, name in catalog_names(model).items():
        yield PROFILE_COMPUTE, spelling, model.profile(name).compute_slices
        # Alone on its GPU, a slice is not scaled down.
        yield PROFILE_SHARE, spelling, shares(model, {name: 1}, basis)[name]
