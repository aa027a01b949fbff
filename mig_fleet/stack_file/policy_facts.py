"""The facts that the policies check, from a stack file alone: what a preview would register, without its impact."""

from datetime import datetime

from mig_fleet.observed.expected import Expected
from mig_fleet.policies.pool_facts import PoolFacts
from mig_fleet.policies.program_facts import ProgramFacts
from mig_fleet.policies.wave_facts import WaveFacts
from mig_fleet.rollout.batching import Pace, waves
from mig_fleet.stack_file.fleet import Fleet, FleetPool
from mig_fleet.stack_file.operator_chart import chart_facts


def program_facts(fleet: Fleet, stack: str, now: datetime) -> ProgramFacts:
    """The whole stack. A pool with a selector is unread: only the cluster knows its nodes."""
    return ProgramFacts(
        waves=tuple(wave for pool in fleet.pools for wave in _waves(pool, fleet, stack, now)),
        unread=tuple(pool.name for pool in fleet.pools if not pool.nodes),
        charts=chart_facts(fleet.settings.operator, secret="operator" in fleet.secrets),
        is_monitored=fleet.settings.monitoring.rules != "none",
    )


def pool_facts(fleet: Fleet) -> tuple[PoolFacts, ...]:
    pools = ((pool, pool.settings) for pool in fleet.pools)
    return tuple(
        PoolFacts(it.name, its.gpu, its.gpus_per_node, it.layout, fleet.strategy, fleet.allocation) for it, its in pools
    )


def _waves(pool: FleetPool, fleet: Fleet, stack: str, now: datetime) -> list[WaveFacts]:
    rollout, price = pool.settings.rollout, fleet.prices.get(pool.layout.gpu)
    expected = Expected.of_layout(pool.layout, pool.settings.gpus_per_node, fleet.strategy, fleet.allocation)
    members = waves(pool.nodes, Pace(rollout.max_unavailable, rollout.canary)) if pool.nodes else {}
    return [
        WaveFacts(
            name=f"{pool.name}-{wave}",
            pool=pool.name,
            gpu=expected.gpu,
            nodes=nodes,
            gpus=expected.gpus,
            strategy=expected.strategy,
            allocation=expected.allocation,
            stack=stack,
            now=now,
            on_user_pods=rollout.on_user_pods,
            timeout_seconds=rollout.timeout,
            cost_per_hour=None if price is None else price * pool.settings.gpus_per_node * len(nodes),
        )
        for wave, nodes in members.items()
    ]
