"""mig-layout-matches-pool-gpu: a pool uses a layout that was written for its GPU model."""

from mig_fleet.model.errors import AmbiguousGpu, UnknownGpu
from mig_fleet.model.finding import Finding
from mig_fleet.model.gpus import find
from mig_fleet.policies.pool_facts import PoolFacts
from mig_fleet.policies.rule import Rule


def check(pool: PoolFacts) -> list[Finding]:
    """At most one finding; an unknown or ambiguous GPU model is a finding too."""
    try:
        model = find(pool.gpu).name
    except (UnknownGpu, AmbiguousGpu) as error:
        return [Finding(pool.name, f"pool {pool.name!r} must name a GPU model of the catalog: {error}", Rule.MODEL)]
    if model == pool.layout.gpu:
        return []
    mismatch = f"{pool.layout.name!r} is for {pool.layout.gpu}"
    text = f"pool {pool.name!r} has {model} GPUs and must use a layout for them; {mismatch}"
    return [Finding(pool.name, text, Rule.MODEL)]
