"""The labels of GPU Feature Discovery on a node with MIG, exactly as it writes them.

Under strategy mixed each profile has its own group, ``nvidia.com/mig-1g.10gb.count`` and so on; under single the same
keys stand under ``nvidia.com/gpu``. Source: k8s-device-plugin internal/lm (v0.20.0).
"""

from collections import Counter

from mig_fleet.model.gpus import GpuModel
from mig_fleet.model.labels import CAPABLE, GPU_RESOURCE, STRATEGY
from mig_fleet.model.profiles import Profile
from mig_fleet.model.strategy import Cuts, Strategy, conflicts

INVALID = "MIG-INVALID"
"""Suffix of the product when strategy single meets a node that it cannot serve."""


def product(name: str) -> str:
    """NVML's product name as a label value: ``NVIDIA H100 80GB HBM3`` → ``NVIDIA-H100-80GB-HBM3``."""
    return "-".join(name.split())


def labels(gpu: GpuModel, product_name: str, cuts: Cuts, strategy: Strategy) -> dict[str, str]:
    """Every label about MIG and GPU counts, sorted; memory, SMs and engines only where the catalog knows them.

    ``nvidia.com/gpu.count`` counts all GPUs under mixed too, those with MIG among them; ``replicas`` is 0 when the
    first has MIG on.
    """
    found = {CAPABLE: "true"} | ({} if strategy is Strategy.NONE else {STRATEGY: str(strategy)})
    counts: Counter[str] = Counter()
    for cut in cuts:
        counts.update(cut or {})
    base = product(product_name)
    hidden = strategy is not Strategy.NONE and bool(cuts) and cuts[0] is not None
    found |= _group(GPU_RESOURCE, len(cuts), 0 if hidden else 1, base)
    if strategy is Strategy.SINGLE and counts:
        if conflicts(strategy, cuts):
            found |= _group(GPU_RESOURCE, 0, 0, f"{base}-{INVALID}")
        else:
            ((name, count),) = counts.items()
            found |= _slice(GPU_RESOURCE, gpu, name, count, base)
    elif strategy is Strategy.MIXED:
        for name, count in counts.items():
            found |= _slice(Profile.parse(name).label_group, gpu, name, count, base)
    return dict(sorted(found.items()))


def agreed(cuts: Cuts, strategy: Strategy) -> dict[str, str]:
    """The labels that must agree before a node counts as cut: counts only, nothing that depends on the driver."""
    counts: Counter[str] = Counter()
    for cut in cuts:
        counts.update(cut or {})
    # GFD labels the strategy for single and mixed only (k8s-device-plugin internal/lm).
    found = {} if strategy is Strategy.NONE else {STRATEGY: str(strategy)}
    if strategy is Strategy.MIXED:
        found |= {f"{Profile.parse(name).label_group}.count": str(count) for name, count in counts.items()}
    elif strategy is Strategy.SINGLE and counts:
        found[f"{GPU_RESOURCE}.count"] = str(counts.total())
    else:
        found[f"{GPU_RESOURCE}.count"] = str(len(cuts))
    return dict(sorted(found.items()))


def _group(stem: str, count: int, replicas: int, product_label: str) -> dict[str, str]:
    return {f"{stem}.count": str(count), f"{stem}.replicas": str(replicas), f"{stem}.product": product_label}


def _slice(stem: str, gpu: GpuModel, name: str, count: int, base: str) -> dict[str, str]:
    row = gpu.profile(name)
    profile = Profile.parse(name)
    share = next((ci for ci in row.compute_instances if ci.slices == profile.compute), None)
    engines = row.engines
    numbers = {
        "memory": row.memory_mib,
        "multiprocessors": share.sm_count if share else None if profile.is_split else row.sm_count,
        "slices.gi": profile.slices,
        "slices.ci": profile.compute,
        "engines.copy": engines.copy,
        "engines.decoder": engines.dec,
        "engines.encoder": engines.enc,
        "engines.jpeg": engines.jpeg,
        "engines.ofa": engines.ofa,
    }
    found = _group(stem, count, 1, f"{base}-MIG-{profile.kubernetes}")
    return found | {f"{stem}.{key}": str(value) for key, value in numbers.items() if value is not None}
