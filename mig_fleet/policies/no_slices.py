"""mig-no-slices: no wave of these stacks uses MIG."""

from mig_fleet.model.finding import Finding
from mig_fleet.policies.policy import Policy, Severity
from mig_fleet.policies.rule import Rule
from mig_fleet.policies.stacks import Stacks, is_one_of
from mig_fleet.policies.wave_facts import WaveFacts


def check(wave: WaveFacts, stacks: Stacks) -> list[Finding]:
    if all(profiles is None for profiles in wave.gpus) or not is_one_of(wave.stack, stacks.stacks):
        return []
    found = ", ".join(wave.profiles) or "MIG on without slices"
    text = f"wave {wave.name!r} must have whole GPUs only in stack {wave.stack!r}; it has {found}"
    return [Finding(wave.name, text, Rule.NO_SLICES)]


POLICY = Policy(
    name=Rule.NO_SLICES,
    title="No MIG slices",
    sentence="No wave of these stacks may partition a GPU.",
    facts=WaveFacts,
    check=check,
    remedy="Use a layout with `disabled: true`.",
    unknown="decided in the update, before a node changes",
    parameters=Stacks,
    needs=("stacks",),
    severity=Severity.MEDIUM,
    tags=("layout", "environment"),
    example={"stacks": ["training"]},
)
