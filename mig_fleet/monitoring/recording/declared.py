"""GPU instances as the configs have them, under the catalog's names."""

from collections import Counter, defaultdict

from mig_fleet.model.gpus import GpuModel, find
from mig_fleet.model.labels import GPU_RESOURCE
from mig_fleet.model.placement.request import canonical, instances_of
from mig_fleet.model.profiles import Profile
from mig_fleet.model.strategy import PerGpu, Strategy
from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.monitoring.kube_state_metrics import spelled
from mig_fleet.monitoring.promql import braces, in_pools, text
from mig_fleet.monitoring.rules import Record, merged
from mig_fleet.monitoring.series import DECLARED, NODE

NO_SLICES = (("", ""), 0)


def declared_records(fleet: MonitoredFleet) -> tuple[Record, ...]:
    """One term for all pools with the same number of the same slices in a config of the same name."""
    pools: dict[tuple[str, str, str, int], list[str]] = defaultdict(list)
    for pool in fleet.pools:
        for config, per_gpu in pool.configs.items():
            counts = _instances(find(pool.gpu), per_gpu, fleet.strategy)
            for (profile, resource), count in counts.items() or [NO_SLICES]:
                pools[config, profile, resource, count].append(pool.name)
    return merged(
        Record(
            DECLARED,
            f"{count} * {NODE}{braces(in_pools(names), f'config={text(config)}')}",
            {key: value for key, value in (("profile", profile), ("resource", resource)) if value},
        )
        for (config, profile, resource, count), names in sorted(pools.items())
    )


def _instances(model: GpuModel, per_gpu: PerGpu, strategy: Strategy) -> Counter[tuple[str, str]]:
    """GPU instances of a node by the catalog's name and the resource, which is empty for an instance that is split."""
    found: Counter[tuple[str, str]] = Counter()
    for profiles in per_gpu:
        request = canonical(model, profiles or {})
        split = [(name, count) for name, count in request if Profile.parse(name).is_split]
        for name, count in request:
            if (name, count) not in split:
                found[model.profile(name).name, _resource(name, strategy)] += count
        for name, count in instances_of(model, split).items():
            found[name, ""] += count
    return found


def _resource(profile: str, strategy: Strategy) -> str:
    names = {Strategy.MIXED: Profile.parse(profile).resource, Strategy.SINGLE: GPU_RESOURCE, Strategy.NONE: ""}
    return spelled(names[strategy])
