"""Slices as the configs have them, and as the exporter reports them, under the same names."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from mig_fleet.model.gpus import GpuModel, find
from mig_fleet.model.labels import GPU_RESOURCE
from mig_fleet.model.placement.request import canonical, instances_of
from mig_fleet.model.profiles import Profile
from mig_fleet.model.strategy import PerGpu, Strategy
from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.monitoring.kube_state_metrics import spelled
from mig_fleet.monitoring.promql import braces, in_pools, literal, text
from mig_fleet.monitoring.rules import Record, merged
from mig_fleet.monitoring.series import ACTIVITY, DECLARED, MEMORY_USED, NODE, REPORTED
from mig_fleet.monitoring.spellings import catalog_names

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


def reported_records(fleet: MonitoredFleet) -> tuple[Record, ...]:
    """One term for all pools of a GPU model: what a spelling means depends on the model."""
    return merged(Record(REPORTED, _reported(model, pools)) for model, pools in fleet.by_model().items())


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


def _reported(model: GpuModel, pools: Iterable[str]) -> str:
    # An instance that no pod has may lack the fields of the profiler; its memory is always known.
    rows = f"max by (node, uuid, profile, slice) ({ACTIVITY} or {MEMORY_USED})"
    rows = f"{rows} and on (node) {NODE}{braces(in_pools(pools))}"
    # Two rows with the same labels are an error. Two exporters of a node may spell the same slice differently.
    rows = f'label_join({rows}, "spelling", "", "profile")'
    for spelling, name in catalog_names(model).items():
        if spelling != name:
            rows = f'label_replace({rows}, "profile", "{name}", "spelling", "{literal(spelling)}")'
    return f"count by (node, profile) (group by (node, uuid, profile, slice) ({rows}))"
