"""mig-every-gpu-covered: a layout covers every GPU of a node once, and no other GPU.

Otherwise mig-parted's assert fails forever, and each restart of MIG Manager repeats the change.
"""

from mig_fleet.model.finding import Finding
from mig_fleet.policies.pool_facts import PoolFacts
from mig_fleet.policies.rule import Rule


def check(pool: PoolFacts) -> list[Finding]:
    """One finding for the GPUs that are missing, one for those that do not exist."""
    required = f"layout {pool.layout.name!r} must cover every GPU of pool {pool.name!r} once"
    problems = pool.layout.coverage(pool.gpus_per_node)
    return [Finding(pool.name, f"{required}: {problem}", Rule.COVERED) for problem in problems]
