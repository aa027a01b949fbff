"""mig-dra-driver-is-static: NVIDIA's DRA driver does not partition the GPUs that a stack partitions."""

from mig_fleet.model.finding import Finding
from mig_fleet.policies.operand_values import DYNAMIC_MIG, ITS_EFFECT
from mig_fleet.policies.policy import Policy, without_parameters
from mig_fleet.policies.program_facts import ProgramFacts
from mig_fleet.policies.rule import Rule


def check(program: ProgramFacts) -> list[Finding]:
    """Nothing in a program without waves, and nothing for a value that is not known."""
    is_ours = program.waves or program.unread
    return [
        Finding(label, f"{label} must have the feature gate {DYNAMIC_MIG} off: {ITS_EFFECT}", Rule.STATIC_DRA)
        for label in (program.dynamic_mig if is_ours else ())
    ]


POLICY = Policy(
    name=Rule.STATIC_DRA,
    title="DRA driver is static",
    sentence="NVIDIA's DRA driver in the same program must have its feature gate DynamicMIG off: with it the driver "
    "destroys the slices that MIG Manager makes.",
    facts=ProgramFacts,
    check=without_parameters(check),
    remedy="Remove `featureGates.DynamicMIG` from the values of the driver's chart.",
    unknown="decided in the preview of the waves, which read the published devices",
    tags=("operator",),
)
