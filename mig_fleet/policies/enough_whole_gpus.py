"""mig-enough-whole-gpus: the program keeps a number of GPUs whole, for jobs that need all of one."""

from typing import Annotated

from pydantic import Field

from mig_fleet.model.finding import Finding
from mig_fleet.policies.parameters import Parameters, Positive, Unset
from mig_fleet.policies.policy import Policy, Severity
from mig_fleet.policies.program_facts import ProgramFacts
from mig_fleet.policies.rule import Rule
from mig_fleet.policies.unread import unread_waves


class WholeGpus(Parameters):
    at_least: Annotated[Positive | Unset, Field(description="whole GPUs over all pools")] = None


def check(program: ProgramFacts, required: WholeGpus) -> list[Finding]:
    """A program without waves is another program; it has no GPUs to keep whole."""
    found = sum(wave.whole_gpus for wave in program.waves)
    is_ours = program.waves or program.unread
    if not is_ours or required.at_least is None or found >= required.at_least:
        return []
    if program.unread:
        return unread_waves(program, Rule.ENOUGH_WHOLE_GPUS)
    text = f"the stack must keep at least {required.at_least} GPUs whole; it keeps {found}"
    return [Finding("", text, Rule.ENOUGH_WHOLE_GPUS)]


POLICY = Policy(
    name=Rule.ENOUGH_WHOLE_GPUS,
    title="Enough whole GPUs",
    sentence="The pools together must keep a number of GPUs whole.",
    facts=ProgramFacts,
    check=check,
    remedy="Give a pool a layout with `disabled: true`, or leave GPUs out of the partitioned ones.",
    unknown="denied, because the sum is not known; if the known waves are enough, accepted",
    parameters=WholeGpus,
    needs=("atLeast",),
    severity=Severity.MEDIUM,
    tags=("capacity",),
    example={"atLeast": 8},
)
