"""mig-requests-offered: every MIG resource that a workload requests is in a layout."""

from typing import Annotated

from pydantic import Field

from mig_fleet.model.allocated_by import offered
from mig_fleet.model.finding import Finding
from mig_fleet.model.suggestions import suggestion_or_known
from mig_fleet.policies.parameters import Parameters
from mig_fleet.policies.policy import Policy, Severity
from mig_fleet.policies.program_facts import ProgramFacts
from mig_fleet.policies.rule import Rule
from mig_fleet.policies.wave_facts import WaveFacts


class OfferedElsewhere(Parameters):
    also_offered: Annotated[
        tuple[Annotated[str, Field(pattern=r"^nvidia\.com/mig-")], ...],
        Field(description="resources that nodes outside of the stack offer, such as `nvidia.com/mig-1g.10gb`"),
    ] = ()


def check(program: ProgramFacts, elsewhere: OfferedElsewhere) -> list[Finding]:
    """Nothing if no layout is known, here or in a referenced stack: the program has no part in the partitioning. A
    request is denied only if no unknown layout could offer it.
    """
    offered = {name for wave in program.waves for name in _resources(wave)}
    known = program.offered_elsewhere is not None and not program.unread
    offered |= {*(program.offered_elsewhere or ()), *elsewhere.also_offered}
    if not offered or not known:
        return []
    return [
        Finding(workload.name, _text(workload.kind, workload.name, resource, offered), Rule.REQUESTS)
        for workload in program.workloads
        for resource in workload.resources
        if resource not in offered
    ]


def _resources(wave: WaveFacts) -> set[str]:
    """The resources of its slices."""
    return {*offered(wave.allocation, wave.strategy, [profiles for profiles in wave.gpus if profiles is not None])}


def _text(kind: str, name: str, resource: str, offered: set[str]) -> str:
    return (
        f"{kind} '{name}' must request a resource that a layout offers: no layout has {resource}, so its pods would "
        f"stay Pending; {suggestion_or_known(resource, sorted(offered))}"
    )


POLICY = Policy(
    name=Rule.REQUESTS,
    title="Requests are offered",
    sentence="A workload of the program must request only MIG resources that a layout of the stack, or of a stack to "
    "which it refers, offers.",
    facts=ProgramFacts,
    check=check,
    remedy="Request a resource of a layout, add a layout with it, or add it to `alsoOffered`.",
    unknown="accepted, because an unknown layout may offer it; the rollout then refuses to strand pods",
    parameters=OfferedElsewhere,
    severity=Severity.MEDIUM,
    tags=("workloads",),
    example={"alsoOffered": ["nvidia.com/mig-1g.5gb"]},
)
