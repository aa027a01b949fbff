"""All rules about a pool. A new rule is a module of its own and one line here.

:func:`rule_conflicts` finds, :func:`explain` formats. The caller decides whether to raise, warn or report a violation.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from mig_fleet.model.finding import Finding
from mig_fleet.policies import (
    every_gpu_covered,
    layout_fits_gpu,
    layout_matches_pool_gpu,
    strategy_serves_pools,
)
from mig_fleet.policies.pool_facts import PoolFacts

PoolRule = Callable[[PoolFacts], list[Finding]]

POOL_RULES: Final[tuple[PoolRule, ...]] = (
    layout_fits_gpu.check,
    layout_matches_pool_gpu.check,
    every_gpu_covered.check,
    strategy_serves_pools.check,
)


def rule_conflicts(pools: Iterable[PoolFacts]) -> tuple[Finding, ...]:
    """The findings of every rule about every pool, each with the pool's name as its path; empty if all rules are
    kept.
    """
    return tuple(finding for pool in pools for check in POOL_RULES for finding in check(pool))


def explain(conflicts: Sequence[Finding]) -> str:
    """One line for each conflict: ``mig-layout-fits-gpu: pool 'inference' must …``."""
    return "\n".join(f"{conflict.rule}: {conflict.text}" for conflict in conflicts)
