"""mig-blast-radius-limited: one update changes only so many nodes, and takes slices from only so many pods."""

from typing import Annotated

from pydantic import Field

from mig_fleet.model.finding import Finding, Level
from mig_fleet.policies.parameters import Count, Parameters, Unset
from mig_fleet.policies.policy import Policy
from mig_fleet.policies.program_facts import ProgramFacts
from mig_fleet.policies.rule import Rule
from mig_fleet.policies.unread import unread_waves


class BlastRadius(Parameters):
    nodes: Annotated[Count | Unset, Field(description="nodes whose slices change in one update")] = None
    pods: Annotated[Count | Unset, Field(description="pods that lose their slices in one update")] = None


def check(program: ProgramFacts, limit: BlastRadius) -> list[Finding]:
    found = unread_waves(program, Rule.BLAST_RADIUS)
    if unobserved := [wave.name for wave in program.waves if wave.impact is None]:
        text = f"the impact on {', '.join(unobserved)} must be known; run a preview while the cluster answers"
        found.append(Finding("", text, Rule.BLAST_RADIUS, Level.UNPROVEN))
    impacts = [wave.impact for wave in program.waves if wave.impact]
    nodes, pods = len({node for it in impacts for node in it.changed_nodes}), sum(it.pods for it in impacts)
    way_out = "change fewer pools at once, or set `rollout.maxWavesPerUpdate`"
    if limit.nodes is not None and nodes > limit.nodes:
        text = f"one update must change at most {limit.nodes} nodes; this one changes {nodes}: {way_out}"
        found.append(Finding("", text, Rule.BLAST_RADIUS))
    if limit.pods is not None and pods > limit.pods:
        text = f"one update must take slices from at most {limit.pods} pods; this one takes them from {pods}: {way_out}"
        found.append(Finding("", text, Rule.BLAST_RADIUS))
    return found


POLICY = Policy(
    name=Rule.BLAST_RADIUS,
    title="Limited blast radius",
    sentence="One update must change a limited number of nodes, and take slices from a limited number of pods.",
    facts=ProgramFacts,
    check=check,
    remedy="Change fewer pools in one update, or set `rollout.maxWavesPerUpdate`.",
    unknown="denied, because the sum is not known; also if the cluster did not answer and `onUnreachable` is `warn`",
    parameters=BlastRadius,
    needs=("nodes", "pods"),
    tags=("rollout",),
    example={"nodes": 10, "pods": 20},
)
