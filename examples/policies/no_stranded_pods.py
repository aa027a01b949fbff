"""No update leaves a pod without a free slice, also where `onStrandedPods: warn` accepts it."""

from pulumi_policy import EnforcementLevel, ReportViolation, ResourceValidationArgs, ResourceValidationPolicy

from mig_fleet.model.resource_types import ASSIGNMENTS
from mig_fleet.policy.known import get


def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
    if args.resource_type not in ASSIGNMENTS:
        return
    stranded = get(args.props, "impact", "podsUnschedulable")
    if isinstance(stranded, float) and stranded > 0:
        report(f"Wave '{args.name}' must leave a slice for each pod; {stranded:.0f} would find none.", args.urn)


no_stranded_pods = ResourceValidationPolicy(
    name="our-pods-find-slices",
    description="An update must not leave a pod without a slice.",
    enforcement_level=EnforcementLevel.MANDATORY,
    validate=validate,
)
