"""mig-no-whole-gpus: no wave of these stacks has a GPU with MIG off."""

from mig_fleet.model.finding import Finding
from mig_fleet.policies.policy import Policy, Severity
from mig_fleet.policies.rule import Rule
from mig_fleet.policies.stacks import Stacks, is_one_of
from mig_fleet.policies.wave_facts import WaveFacts


def check(wave: WaveFacts, stacks: Stacks) -> list[Finding]:
    if not wave.whole_gpus or not is_one_of(wave.stack, stacks.stacks):
        return []
    text = (
        f"wave {wave.name!r} must have MIG on for every GPU in stack {wave.stack!r}; {wave.whole_gpus} GPUs are whole"
    )
    return [Finding(wave.name, text, Rule.NO_WHOLE_GPUS)]


POLICY = Policy(
    name=Rule.NO_WHOLE_GPUS,
    title="No whole GPUs",
    sentence="No wave of these stacks may have a whole GPU.",
    facts=WaveFacts,
    check=check,
    remedy="Use a layout that partitions every GPU of the node.",
    unknown="decided in the update, before a node changes",
    parameters=Stacks,
    needs=("stacks",),
    severity=Severity.MEDIUM,
    tags=("layout", "environment"),
    example={"stacks": ["dev", "dev-*"]},
)
