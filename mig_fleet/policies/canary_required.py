"""mig-canary-required: a large pool changes a few nodes first."""

from typing import Annotated

from pydantic import Field

from mig_fleet.model.finding import Finding
from mig_fleet.policies.parameters import Parameters, Positive, Unset
from mig_fleet.policies.policy import Policy
from mig_fleet.policies.program_facts import ProgramFacts, nodes_of
from mig_fleet.policies.rule import Rule
from mig_fleet.policies.unread import unread_waves

CANARY = "-canary"
"""How the name of the wave ends that changes first."""


class Canary(Parameters):
    from_nodes: Annotated[Positive | Unset, Field(description="a pool with this many nodes or more needs one")] = None


def check(program: ProgramFacts, canary: Canary) -> list[Finding]:
    found = unread_waves(program, Rule.CANARY)
    for pool, waves in program.pools.items():
        nodes = len(nodes_of(waves))
        required = canary.from_nodes is not None and nodes >= canary.from_nodes
        if required and not any(wave.name.endswith(CANARY) for wave in waves):
            text = f"pool {pool!r} must have a canary, because its number of nodes is {nodes}; set `rollout.canary: 1`"
            found.append(Finding(pool, text, Rule.CANARY))
    return found


POLICY = Policy(
    name=Rule.CANARY,
    title="Canary required",
    sentence="A pool with many nodes must change a canary first.",
    facts=ProgramFacts,
    check=check,
    remedy="Set `rollout.canary: 1` for the pool.",
    unknown="denied, because the nodes of a pool are not known",
    parameters=Canary,
    needs=("fromNodes",),
    tags=("rollout",),
    example={"fromNodes": 8},
)
