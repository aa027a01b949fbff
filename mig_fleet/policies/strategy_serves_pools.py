"""mig-strategy-serves-pools: the device plugin can serve the nodes of a pool under the cluster's one MIG strategy, or
the DRA driver can.
"""

from mig_fleet.model.allocated_by import AllocatedBy, offer_conflicts
from mig_fleet.model.finding import Finding
from mig_fleet.policies.policy import Policy, without_parameters
from mig_fleet.policies.pool_facts import PoolFacts
from mig_fleet.policies.rule import Rule


def check(pool: PoolFacts) -> list[Finding]:
    """One finding for each reason why the strategy, or the DRA driver, cannot serve the layout."""
    server = "the DRA driver" if pool.allocation is AllocatedBy.DRA else f"MIG strategy {pool.strategy}"
    required = f"pool {pool.name!r} must use a layout that {server} can serve"
    conflicts = offer_conflicts(pool.allocation, pool.strategy, pool.layout.per_gpu(pool.gpus_per_node))
    return [Finding(pool.name, f"{required}: {conflict}", Rule.STRATEGY) for conflict in conflicts]


POLICY = Policy(
    name=Rule.STRATEGY,
    title="Strategy serves the pools",
    sentence="A wave must suit the cluster's MIG strategy: single needs one profile per node and MIG on all of its "
    "GPUs, none needs MIG off; otherwise the device plugin advertises nothing. Under "
    "`operator.allocation: dra` no slice may be only a part of its GPU instance.",
    facts=PoolFacts,
    check=without_parameters(check),
    remedy="Use strategy mixed, or a layout that the strategy or the DRA driver can serve.",
    unknown="decided in the update, before a node changes",
    tags=("layout", "operator"),
)
