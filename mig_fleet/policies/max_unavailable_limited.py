"""mig-max-unavailable-limited: only so many nodes of a pool change at the same time."""

from typing import Annotated

from pydantic import Field

from mig_fleet.model.finding import Finding
from mig_fleet.policies.parameters import Parameters, Positive, Unset
from mig_fleet.policies.policy import Policy
from mig_fleet.policies.program_facts import ProgramFacts, nodes_of
from mig_fleet.policies.rule import Rule
from mig_fleet.policies.unread import unread_waves


class MaxUnavailable(Parameters):
    nodes: Annotated[Positive | Unset, Field(description="nodes of a pool that may change at the same time")] = None
    percent: Annotated[
        Annotated[int, Field(ge=1, le=100)] | Unset,
        Field(description="the same as a share of the pool, rounded down, but at least one node"),
    ] = None


def check(program: ProgramFacts, limit: MaxUnavailable) -> list[Finding]:
    """One finding for each pool, about its largest wave."""
    found = unread_waves(program, Rule.MAX_UNAVAILABLE)
    for pool, waves in program.pools.items():
        size, nodes = max(len(wave.nodes) for wave in waves), len(nodes_of(waves))
        shares = [] if limit.percent is None else [max(1, nodes * limit.percent // 100)]
        allowed = min([*shares, *([] if limit.nodes is None else [limit.nodes])])
        if size > allowed:
            text = (
                f"pool {pool!r} must change at most {allowed} of its {nodes} nodes at the same time; a wave has "
                f"{size}: set `rollout.maxUnavailable: {allowed}`"
            )
            found.append(Finding(pool, text, Rule.MAX_UNAVAILABLE))
    return found


POLICY = Policy(
    name=Rule.MAX_UNAVAILABLE,
    title="Limited maxUnavailable",
    sentence="A pool must change only a limited number of nodes at the same time.",
    facts=ProgramFacts,
    check=check,
    remedy="Lower `rollout.maxUnavailable` of the pool.",
    unknown="denied, because the nodes of a wave are not known",
    parameters=MaxUnavailable,
    needs=("nodes", "percent"),
    tags=("rollout",),
    example={"percent": 25},
)
