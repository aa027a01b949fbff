"""mig-strategy-serves-pools: the device plugin can serve the nodes of a pool under the cluster's one MIG strategy."""

from mig_fleet.model.finding import Finding
from mig_fleet.model.strategy import strategy_conflicts
from mig_fleet.policies.policy import Policy, without_parameters
from mig_fleet.policies.pool_facts import PoolFacts
from mig_fleet.policies.rule import Rule


def check(pool: PoolFacts) -> list[Finding]:
    """One finding for each reason why the strategy cannot serve the layout."""
    required = f"pool {pool.name!r} must use a layout that MIG strategy {pool.strategy} can serve"
    conflicts = strategy_conflicts(pool.strategy, pool.layout.per_gpu(pool.gpus_per_node))
    return [Finding(pool.name, f"{required}: {conflict}", Rule.STRATEGY) for conflict in conflicts]


POLICY = Policy(
    name=Rule.STRATEGY,
    title="Strategy serves the pools",
    sentence="A wave must suit the cluster's MIG strategy: single needs one profile per node and MIG on all of its "
    "GPUs, none needs MIG off; otherwise the device plugin advertises nothing.",
    facts=PoolFacts,
    check=without_parameters(check),
    remedy="Use strategy mixed, or a layout that the strategy can serve.",
    unknown="decided in the update, before a node changes",
    tags=("layout", "operator"),
)
