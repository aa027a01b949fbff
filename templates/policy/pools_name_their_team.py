"""The name of a pool begins with the name of a team."""

from pulumi_policy import EnforcementLevel, ReportViolation, ResourceValidationArgs, ResourceValidationPolicy

from mig_fleet.model.resource_types import ASSIGNMENTS
from mig_fleet.policy.known import get

TEAMS = ("chat-", "training-", "notebooks-")


def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
    wave = get(args.props, "wave")
    if args.resource_type in ASSIGNMENTS and isinstance(wave, str) and not wave.startswith(TEAMS):
        report(f"Wave '{wave}' must belong to a pool whose name begins with one of {', '.join(TEAMS)}.", args.urn)


pools_name_their_team = ResourceValidationPolicy(
    name="our-pools-name-their-team",
    description="The name of a pool must begin with the name of its team.",
    enforcement_level=EnforcementLevel.ADVISORY,
    validate=validate,
)
