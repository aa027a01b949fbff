"""mig-verification-present: every assignment is followed by a verification."""

from mig_fleet.model.finding import Finding
from mig_fleet.policies.policy import Policy, without_parameters
from mig_fleet.policies.program_facts import ProgramFacts
from mig_fleet.policies.rule import Rule


def check(program: ProgramFacts) -> list[Finding]:
    text = (
        "wave {!r} must be verified: register a Verification of the same wave that depends on its Assignment, or use "
        "the component Pool"
    )
    return [Finding(wave, text.format(wave), Rule.VERIFICATION) for wave in program.unverified]


POLICY = Policy(
    name=Rule.VERIFICATION,
    title="Verification present",
    sentence="A verification must follow every assignment: MIG Manager also reports success for layouts that it did "
    "not create.",
    facts=ProgramFacts,
    check=without_parameters(check),
    remedy="Use the component `Pool`, which registers both.",
    unknown="denied if the name of an assignment's wave is not known, because no verification is known to be its own",
    tags=("rollout",),
)
